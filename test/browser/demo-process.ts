import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve as resolvePath } from 'node:path';

const MAIN = resolvePath('dist/demo/main.js');

/** Runs first in the process: a message with milliseconds moves its clock. */
const CLOCK = `
const now = Date.now;
let ahead = 0;
Date.now = () => now() + ahead;
process.on('message', (milliseconds) => {
  ahead += milliseconds;
  process.send('done');
});`;

/** The built demo in its own process. */
export interface DemoProcess {
  readonly url: string;
  /** Its output so far, mails included. */
  readonly output: () => string;
  /** Moves its clock ahead, by seconds. */
  readonly advance: (seconds: number) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Starts the built demo in a directory and waits until it serves. @throws Error with its output if it ends */
export async function startDemo(directory: string, env: Record<string, string>): Promise<DemoProcess> {
  const preload = `data:text/javascript,${encodeURIComponent(CLOCK)}`;
  const child = spawn(process.execPath, ['--import', preload, MAIN], {
    cwd: directory,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  const ended = once(child, 'exit');
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        output += chunk;
        const [, found] = /demo at (\S+);/.exec(output) ?? [];
        if (found) resolve(found);
      });
    }
    child.once('exit', () => reject(new Error(`the demo ended: ${output}`)));
  });
  const advance = async (seconds: number) => {
    const done = once(child, 'message');
    child.send(seconds * 1000);
    await done;
  };
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  return { url, output: () => output, advance, stop };
}
