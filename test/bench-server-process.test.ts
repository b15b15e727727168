import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ServerProcess } from '../bench/server-process.js';

const LISTENING = "process.send({ port: 1, traffic: {} }); process.once('disconnect', () => process.exit(0));";
const SERVERS = {
  good: `${LISTENING} process.on('message', () => process.send({ cpu: 1 }));`,
  failing: "console.error('no table'); process.exit(3);",
  crashing: `${LISTENING} process.on('message', () => process.exit(4));`,
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bench-servers-'));
  for (const [name, code] of Object.entries(SERVERS)) await writeFile(join(folder, `${name}.js`), code);
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

const start = (name: keyof typeof SERVERS) =>
  ServerProcess.start(relative(resolve('bench/servers'), join(folder, name)), '', '');

describe('the servers of the benchmark', () => {
  test('the servers that have started are stopped if a later one fails to start', async () => {
    const servers = [await start('good'), await start('good')];
    await expect(start('failing')).rejects.toThrow(/failing ended with 3: no table/);
    expect(await servers[0]?.usage()).toEqual({ cpu: 1 });
    await ServerProcess.stopAll();
    for (const server of servers) await expect(server.usage()).rejects.toThrow('The server has ended.');
  });

  test('a server that ends instead of an answer is an error, and stopping it does not wait', async () => {
    const server = await start('crashing');
    await expect(server.usage()).rejects.toThrow('The server has ended.');
    await server.stop();
    await ServerProcess.stopAll();
  });
});
