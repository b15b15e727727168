import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMPILE_CACHE } from '../support/compile-cache.js';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-pipe-'));
});
afterAll(() => rm(directory, { recursive: true }));

test.each([
  ['--help', 0],
  ['check', 1],
  ['check --json', 1],
  ['generate-keys', 0],
])('`jwt-allauth %s | head` ends as without the pipe, and prints no stack', async (args, code) => {
  const child = spawn(process.execPath, [MAIN, ...args.split(' ')], {
    env: COMPILE_CACHE,
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy(); // as `head` does, before anything is printed
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text;
  });
  const [status] = await once(child, 'exit');
  expect(status).toBe(code);
  expect(errors).not.toMatch(/EPIPE|Error|^\s+at /m);
});
