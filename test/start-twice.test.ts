import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { claimDataFolder } from '../demo/data-folder.js';
import { freePort } from '../src/testing/free-port.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PATH = [join(ROOT, 'node_modules/.bin'), process.env['PATH']].join(delimiter);
const CONFIG = { compilerOptions: { rootDir: '.', outDir: 'dist', types: [] }, include: ['src'] };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-start-'));
  await mkdir(join(directory, 'src'));
  await mkdir(join(directory, 'node_modules'));
  await copyFile(join(ROOT, 'build.js'), join(directory, 'build.js'));
  await writeFile(join(directory, 'package.json'), '{ "type": "module" }');
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(CONFIG));
  await writeFile(join(directory, 'src/one.ts'), 'export const one: number = 1;');
  await writeFile(join(directory, 'src/two.ts'), 'export const two: number = 2;');
});
afterEach(() => rm(directory, { recursive: true }));

const build = () =>
  new Promise<number>((resolve) => {
    execFile(process.execPath, ['build.js'], { cwd: directory, env: { PATH } }, (error) =>
      resolve(error ? Number(error.code) : 0),
    );
  });
const inode = async () => (await stat(join(directory, 'dist'))).ino;
const has = (file: string) => existsSync(join(directory, file));

test('three concurrent builds produce one dist, and a later build leaves it unchanged', async () => {
  expect(await Promise.all([build(), build(), build()])).toEqual([0, 0, 0]);
  expect(await readFile(join(directory, 'dist/src/one.js'), 'utf8')).toContain('one = 1');
  const built = await inode();
  expect(await build()).toBe(0);
  expect(await inode()).toBe(built);
});

test('a build runs again when the sources change, and a failed build keeps the old dist', async () => {
  await build();
  await writeFile(join(directory, 'src/one.ts'), 'export const one: number = 3;');
  await rm(join(directory, 'src/two.ts'));
  expect(await build()).toBe(0);
  expect(await readFile(join(directory, 'dist/src/one.js'), 'utf8')).toContain('one = 3');
  expect(has('dist/src/two.js')).toBe(false);
  await writeFile(join(directory, 'src/one.ts'), 'export const one: number = "no number";');
  expect(await build()).not.toBe(0);
  expect(await readFile(join(directory, 'dist/src/one.js'), 'utf8')).toContain('one = 3');
});

test('a build succeeds after an earlier one was killed', async () => {
  const killed = spawn(process.execPath, ['--version']);
  await once(killed, 'exit');
  await writeFile(join(directory, 'node_modules/.build-lock'), String(killed.pid));
  expect(await build()).toBe(0);
  expect(has('dist/src/one.js')).toBe(true);
  expect(has('node_modules/.build-lock')).toBe(false);
});

test('demos from one checkout use separate folders, and a killed demo does not keep its folder', async () => {
  const places = await Promise.all([
    claimDataFolder(directory),
    claimDataFolder(directory),
    claimDataFolder(directory),
  ]);
  expect(places.map(({ index }) => index).sort()).toEqual([0, 1, 2]);
  const paths = ['', '/beside-1', '/beside-2'].map((path) => directory + path);
  expect(places.map((place) => place.directory).sort()).toEqual(paths);
  for (const place of places) await place.release();

  const killed = spawn(process.execPath, ['--version']);
  await once(killed, 'exit');
  await writeFile(join(directory, 'demo.pid'), String(killed.pid));
  expect((await claimDataFolder(directory)).index).toBe(0);
});

describe('npm start', () => {
  /** A copy of the sources, with the packages that are installed in this checkout. */
  beforeEach(async () => {
    await rm(directory, { recursive: true });
    const filter = (path: string) => !path.endsWith('.data');
    for (const path of ['src', 'demo', 'build.js', 'package.json', 'tsconfig.json'])
      await cp(join(ROOT, path), join(directory, path), { recursive: true, filter });
    await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  });

  async function start() {
    const env = { PATH, HOME: directory, PORT: String(await freePort()) };
    const npm = spawn('npm', ['start'], { cwd: directory, env, detached: true });
    let output = '';
    const ended = once(npm, 'exit');
    const url = await new Promise<string>((resolve, reject) => {
      for (const stream of [npm.stdout, npm.stderr]) {
        stream.on('data', (chunk) => {
          output += chunk;
          const [, found] = /demo at (\S+);/.exec(output) ?? [];
          if (found) resolve(found);
        });
      }
      npm.once('exit', () => reject(new Error(output)));
    });
    const stop = async () => {
      process.kill(-(npm.pid ?? 0), 'SIGINT');
      await ended;
    };
    return { url, stop };
  }

  test('can be started twice from one checkout at the same moment, and builds only what has changed', async () => {
    const demos = await Promise.all([start(), start()]);
    try {
      for (const { url } of demos) expect((await fetch(`${url}/health`)).status).toBe(200);
      expect(has('demo/.data/postgres') && has('demo/.data/beside-1/postgres')).toBe(true);
      const built = await inode();
      const third = await start();
      demos.push(third);
      expect((await fetch(`${third.url}/health`)).status).toBe(200);
      expect(await inode()).toBe(built);
    } finally {
      for (const { stop } of demos) await stop();
    }
  });
});
