import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { settingsFromEnv } from '../../src/index.js';
import { runInProcess } from '../support/run-in-process.js';
import { secrets } from '../support/secrets.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'jwt-allauth keys'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
  secrets.assertNoneShown();
});

const runPlain = (...args: string[]) => runInProcess(['generate-keys', ...args], {}, directory);
const run = (...args: string[]) => runPlain(...(args.includes('--out') ? [] : ['--out', '.']), ...args);
const read = (name: string) => readFile(join(directory, name), 'utf8');
const modeOf = async (name: string) => (await stat(join(directory, name))).mode & 0o777;

/** Remembers a private key, which must appear nowhere. */
const watch = (pem: string) => secrets.add(...pem.split('\n').filter((line) => line && !line.startsWith('-----')));

/** The variables as a shell reads them from the output. */
function variablesOf(stdout: string): Record<string, string> {
  const script = `set -a; eval "$1"; exec env`;
  const lines = execFileSync('sh', ['-c', script, 'sh', stdout], { env: { PATH: '/usr/bin:/bin' }, encoding: 'utf8' });
  const entries = lines.split('\n').map((line) => line.split(/=(.*)/s) as [string, string]);
  return Object.fromEntries(entries.filter(([name]) => name.startsWith('JWT_ALLAUTH_')));
}

describe('generate-keys', () => {
  test.each([
    ['ES256', []],
    ['ES512', ['--algorithm', 'ES512']],
    ['RS256', ['--algorithm', 'RS256']],
  ] as const)(
    'writes a key pair for %s, the private key readable only by its owner, and prints variables that work',
    async (algorithm, args) => {
      const { code, stdout, stderr } = await run(...args);
      watch(await read('private-key.pem'));
      expect(code).toBe(0);
      expect((await readdir(directory)).sort()).toEqual(['encryption-key', 'private-key.pem', 'public-key.pem']);
      expect([await modeOf('private-key.pem'), (await modeOf('public-key.pem')) & 0o600]).toEqual([0o600, 0o600]);
      const own = createPublicKey(createPrivateKey(await read('private-key.pem')) as never);
      expect(createPublicKey(await read('public-key.pem')).equals(own)).toBe(true);

      const variables = variablesOf(stdout);
      const path = expect.stringMatching(/\/jwt-allauth keys.*\/private-key\.pem$/);
      expect(variables).toEqual({
        JWT_ALLAUTH_ALGORITHM: algorithm,
        JWT_ALLAUTH_PRIVATE_KEY_FILE: path,
        JWT_ALLAUTH_ENCRYPTION_KEYS: await read('encryption-key'),
      });
      expect(settingsFromEnv(variables)).toMatchObject({ algorithm, privateKey: await read('private-key.pem') });
      expect(stderr).toMatch(
        /^wrote .*private-key\.pem, readable by its owner only\nwrote .*public-key\.pem\nwrote .*encryption-key, readable by its owner only\n$/,
      );
      expect(stdout + stderr).not.toContain('PRIVATE KEY-----');
    },
  );

  test('writes to the folder `keys` by default, which git ignores', async () => {
    const { code } = await runPlain();
    watch(await read('keys/private-key.pem'));
    expect([code, await readdir(directory)]).toEqual([0, ['keys']]);
    execFileSync('git', ['init', '--quiet'], { cwd: directory });
    const status = execFileSync('git', ['status', '--porcelain', '--untracked-files=all'], { cwd: directory });
    expect(String(status)).toBe('');
  });

  test('creates the output folder', async () => {
    const { code } = await run('--out', 'keys/of/the app');
    watch(await read('keys/of/the app/private-key.pem'));
    expect(code).toBe(0);
    expect(await modeOf('keys/of/the app/private-key.pem')).toBe(0o600);
  });

  test('writes a secret for HS512 and prints how a shell reads it', async () => {
    const { code, stdout, stderr } = await run('--algorithm', 'HS512', '--out', directory);
    const secret = await read('secret-key');
    secrets.add(secret);
    const files = (await readdir(directory)).sort();
    expect([code, files, await modeOf('secret-key')]).toEqual([0, ['encryption-key', 'secret-key'], 0o600]);
    expect(Buffer.from(secret, 'base64url')).toHaveLength(64);
    const variables = variablesOf(stdout);
    expect(variables).toEqual({
      JWT_ALLAUTH_ALGORITHM: 'HS512',
      JWT_ALLAUTH_SECRET_KEY: secret,
      JWT_ALLAUTH_ENCRYPTION_KEYS: await read('encryption-key'),
    });
    expect(settingsFromEnv(variables).secretKey).toBe(secret);
    expect(stdout + stderr).not.toContain(secret);
  });

  test('writes an encryption key that only its owner can read, prints none of it, and keeps an existing one', async () => {
    const first = await run();
    const key = await read('encryption-key');
    secrets.add(key);
    watch(await read('private-key.pem'));
    expect([key, await modeOf('encryption-key')]).toEqual([expect.stringMatching(/^[\w-]{43}$/), 0o600]);
    expect(variablesOf(first.stdout)['JWT_ALLAUTH_ENCRYPTION_KEYS']).toBe(key);
    const second = await run('--force');
    watch(await read('private-key.pem'));
    expect([second.code, second.stderr]).toEqual([
      0,
      expect.stringMatching(/kept .*encryption-key, which already exists/),
    ]);
    expect(second.stderr).not.toMatch(/wrote .*encryption-key/);
    expect([await read('encryption-key'), variablesOf(second.stdout)]).toEqual([
      key,
      expect.objectContaining({ JWT_ALLAUTH_ENCRYPTION_KEYS: key }),
    ]);
    await run('--out', 'other');
    watch(await read('other/private-key.pem'));
    expect(await read('other/encryption-key')).not.toBe(key);
  });

  test('never generates the same key twice', async () => {
    await run('--algorithm', 'HS256');
    const first = await read('secret-key');
    await run('--algorithm', 'HS256', '--force');
    expect(await read('secret-key')).not.toBe(first);
  });

  test('overwrites nothing without an explicit option, and leaves no partial result', async () => {
    await writeFile(join(directory, 'public-key.pem'), 'in use');
    const refused = await run();
    const complaint = /^jwt-allauth: .*public-key\.pem already exists; --force overwrites it\n$/;
    expect(refused).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(complaint) });
    expect([await readdir(directory), await read('public-key.pem')]).toEqual([['public-key.pem'], 'in use']);

    await writeFile(join(directory, 'private-key.pem'), 'in use as well');
    await chmod(join(directory, 'private-key.pem'), 0o644);
    expect((await run()).stderr).toMatch(/private-key\.pem already exists/);
    expect([await read('private-key.pem'), await read('public-key.pem')]).toEqual(['in use as well', 'in use']);

    expect((await run('--force')).code).toBe(0);
    watch(await read('private-key.pem'));
    expect(await read('private-key.pem')).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(await read('public-key.pem')).toMatch(/^-----BEGIN PUBLIC KEY-----/);
    expect(await modeOf('private-key.pem')).toBe(0o600);
  });

  test('keeps the old keys if the new ones cannot all be written', async () => {
    await writeFile(join(directory, 'private-key.pem'), 'in use');
    await mkdir(join(directory, 'public-key.pem'));
    const { code, stderr } = await run('--force');
    expect([code, stderr]).toEqual([1, expect.stringMatching(/public-key\.pem cannot be written: EISDIR\n$/)]);
    expect((await readdir(directory)).sort()).toEqual(['private-key.pem', 'public-key.pem']);
    expect(await read('private-key.pem')).toBe('in use');
  });

  test('says where it cannot write', async () => {
    await writeFile(join(directory, 'a file'), '');
    const { code, stdout, stderr } = await run('--out', join(directory, 'a file'));
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^jwt-allauth: .*a file cannot be created as a folder: EEXIST\n$/);
  });
});
