import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve as resolvePath } from 'node:path';

const MAIN = resolvePath('dist/demo/main.js');

/** The built demo in its own process. */
export interface DemoProcess {
  readonly url: string;
  /** Its output so far, mails included. */
  readonly output: () => string;
  readonly stop: () => Promise<void>;
}

/** Starts the built demo in a directory and waits until it serves. @throws Error with its output if it ends */
export async function startDemo(directory: string, env: Record<string, string>): Promise<DemoProcess> {
  const child = spawn(process.execPath, [MAIN], { cwd: directory, env: { PATH: process.env.PATH, ...env } });
  let output = '';
  const ended = once(child, 'exit');
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
        const [, found] = /demo at (\S+);/.exec(output) ?? [];
        if (found) resolve(found);
      });
    }
    child.once('exit', () => reject(new Error(`the demo ended: ${output}`)));
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  return { url, output: () => output, stop };
}
