import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuthEntities } from '../../src/index.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { notesModule } from '../support/notes.module.js';
import { claimsOf } from '../support/race.js';
import { ORM, runCli } from '../support/run-cli.js';
import { runInProcess, SOURCE_ORM } from '../support/run-in-process.js';
import { SECRET } from '../support/test-app.js';
import { createTotpMailApp, enrol } from '../support/totp-app.js';
import { AppUser, Organization } from '../support/users.js';

const variables = (app: MailApp) => ({
  DATABASE_URL: app.database.url,
  NODE_ENV: 'test',
  JWT_ALLAUTH_SECRET_KEY: SECRET,
  JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY,
  JWT_ALLAUTH_PUBLIC_URL: 'http://accounts.test',
});

describe('a command of a module of the app', () => {
  let app: MailApp;
  let email: string;
  const run = (...args: string[]) => runInProcess([...args, '--orm', `${SOURCE_ORM}#withNotes`], variables(app));
  beforeAll(async () => {
    const entities = [AppUser, Organization, ...createAuthEntities({ user: () => AppUser, modules: [notesModule] })];
    app = await createMailApp({}, { orm: { entities } });
    email = 'notes@example.com';
    const owner = await app.signedUp(email);
    for (const text of ['one', 'two']) await owner.send('POST', '/auth/notes', { text }, owner.bearer);
  });
  afterAll(() => app.close());

  test('gets the library, its options and a user, and prints lines', async () => {
    const all = { code: 0, stdout: 'one\ntwo\n', stderr: '' };
    expect(await run('notes', 'list', '--user', email)).toEqual(all);
    expect(await run('notes', 'list', '--only-count', '--user', email)).toEqual({ ...all, stdout: '2\n' });
    const options = ['--orm', `${SOURCE_ORM}#withNotes`, `--user=${email}`];
    expect(await runInProcess(['notes', 'list', ...options], variables(app))).toEqual(all);
  });

  test('has help, which needs no settings', async () => {
    const database = { DATABASE_URL: app.database.url };
    const help = await runInProcess(['notes', 'list', '--help', '--orm', `${SOURCE_ORM}#withNotes`], database);
    expect([help.code, help.stderr]).toEqual([0, '']);
    for (const content of [/Lists the notes of a user/, /--user <id or e-mail>/, /--only-count/, /--orm/, /--env/])
      expect(help.stdout).toMatch(content);
    const group = await runInProcess(['notes', '--help', '--orm', `${SOURCE_ORM}#withNotes`], database);
    expect(group.stdout).toMatch(/list .*Lists the notes/);
  });

  test('refuses wrong arguments with exit code 2, and an unknown user with exit code 1', async () => {
    const missing = await run('notes', 'list');
    expect([missing.code, missing.stdout]).toEqual([2, '']);
    expect(missing.stderr).toMatch(/required option '--user <id or e-mail>' not specified/);
    expect((await run('notes', 'list', '--user', email, '--all')).stderr).toMatch(/unknown option '--all'/);
    const unknown = { code: 1, stdout: '', stderr: 'jwt-allauth: there is no user with this e-mail address\n' };
    expect(await run('notes', 'list', '--user', 'nobody@example.com')).toEqual(unknown);
  });
});

describe('an unknown command', () => {
  test('is refused with exit code 2 if no module has it, also without an app', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-cli-'));
    const without = await runInProcess(['mfa', 'reset'], {}, directory);
    expect([without.code, without.stdout]).toEqual([2, '']);
    expect(without.stderr).toMatch(/unknown command 'mfa'/);
    expect(without.stderr).toMatch(/no commands of modules: .*mikro-orm\.config\.js/);
    const other = await runInProcess(
      ['mfa', 'reset', '--orm', SOURCE_ORM],
      { DATABASE_URL: 'postgresql://127.0.0.1/none' },
      directory,
    );
    expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/unknown command 'mfa'/)]);
    await rm(directory, { recursive: true });
  });

  test('is refused with exit code 1 if the app that it names cannot be loaded', async () => {
    const { code, stderr } = await runInProcess(['mfa', 'reset', '--orm', './nowhere.js']);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^jwt-allauth: --orm names .*nowhere\.js/)]);
    const env = await runInProcess(['mfa', 'reset', '--env', './nowhere.env']);
    expect(env).toMatchObject({ code: 1, stderr: expect.stringMatching(/--env names the file/) });
  });

  test('is refused with exit code 1 if a module has a command of the library', async () => {
    const { code, stderr } = await runInProcess(['session', '--orm', `${SOURCE_ORM}#withPurging`], {
      DATABASE_URL: 'postgresql://127.0.0.1/none',
    });
    expect([code, stderr]).toEqual([
      1,
      'jwt-allauth: the module purging has a command sessions, and so has the library\n',
    ]);
  });
});

test('the help says that modules can add commands', async () => {
  const { stdout } = await runInProcess(['--help']);
  expect(stdout).toMatch(/Modules of the app can add commands/);
});

describe('check', () => {
  const NEW_KEY = randomBytes(32).toString('base64url');
  let app: MailApp;
  beforeAll(async () => {
    app = await createTotpMailApp();
    for (const email of ['first@example.com', 'second@example.com']) await enrol(app, await app.signedUp(email));
    const pending = await app.signedUp('pending@example.com');
    await pending.send('POST', '/auth/mfa/totp/setup', {}, pending.bearer);
  });
  afterAll(() => app.close());

  /** The finding with a name, and the exit code. */
  async function check(name: string, keys: readonly string[] = [ENCRYPTION_KEY]) {
    const env = { ...variables(app), JWT_ALLAUTH_ENCRYPTION_KEYS: keys.join(',') };
    const { code, stdout } = await runInProcess(['check', '--json', '--orm', `${SOURCE_ORM}#withTotp`], env);
    const found = JSON.parse(stdout).checks.find((each: { name: string }) => each.name === name);
    return { code, status: found?.status, message: found?.message };
  }

  test('says how many TOTP secrets need an older encryption key, and fails if that key is not set', async () => {
    const first = 'the first encryption key decrypts all secrets';
    expect(await check('totp-keys')).toEqual({ code: 0, status: 'ok', message: first });
    const older = '2 of 2 secrets still need an older encryption key: keep it';
    expect(await check('totp-keys', [NEW_KEY, ENCRYPTION_KEY])).toEqual({ code: 0, status: 'ok', message: older });
    const missing =
      'no key of JWT_ALLAUTH_ENCRYPTION_KEYS decrypts 2 of 2 secrets, and their users cannot sign in: ' +
      'add their key again, or reset these users with `jwt-allauth mfa reset`';
    expect(await check('totp-keys', [NEW_KEY])).toEqual({ code: 1, status: 'failed', message: missing });
  });

  test('fails if a table of a module lacks a column, and does not run the checks of modules then', async () => {
    await app.database.pool.query('alter table auth_totp rename column confirmed_at to gone');
    const tables = await check('tables');
    const keys = await check('totp-keys');
    await app.database.pool.query('alter table auth_totp rename column gone to confirmed_at');
    expect([tables.code, tables.status]).toEqual([1, 'failed']);
    expect(tables.message).toMatch(
      /^the table "public"\."auth_totp" lacks confirmed_at: run your migrations, .* `authMigrations\(modules\)`$/,
    );
    expect(keys).toEqual({ code: 1, status: undefined, message: undefined });
  });

  test('reports an app that the library refuses, with all other findings', async () => {
    const clash = { ...variables(app), JWT_ALLAUTH_TEMPLATES_DIR: '/nowhere' };
    const { code, stdout } = await runInProcess(['check', '--json', '--orm', `${SOURCE_ORM}#withTotp`], clash);
    const { checks } = JSON.parse(stdout) as { checks: { name: string; status: string }[] };
    expect(code).toBe(1);
    expect(checks.map(({ name }) => name)).toEqual(expect.arrayContaining(['database', 'tables', 'modules']));
  });
});

describe('mfa reset', () => {
  let app: MailApp;
  beforeAll(async () => {
    app = await createTotpMailApp({ auditLog: true });
  });
  afterAll(() => app.close());
  const run = (...args: string[]) =>
    runInProcess(['mfa', 'reset', ...args, '--orm', `${SOURCE_ORM}#withTotp`], variables(app));

  test('removes the factor of a user, ends the sessions, and mails a notice', async () => {
    const client = await app.signedUp('lost@example.com');
    await enrol(app, client);
    const other = await app.signedUp('kept@example.com');
    await enrol(app, other);
    await app.mailsTo('lost@example.com', 1); // the notice of the set-up has been sent
    expect(await run('--user', 'Lost@example.com')).toEqual({
      code: 0,
      stdout: 'the authenticator app was removed, and all sessions of the user were revoked\n',
      stderr: '',
    });
    expect((await client.refresh()).status).toBe(401);
    expect((await app.client().login('lost@example.com')).status).toBe(200);
    expect((await app.client().login('kept@example.com')).body.code).toBe('second_factor_required');
    // A command sends no mails: the servers do, at their next attempt.
    app.clock.advance(3600);
    await app.auth.outbox.deliver();
    const subjects = (await app.mailsTo('lost@example.com', 2)).map(({ subject }) => subject);
    expect(subjects).toContain('The second factor was removed from your account');

    const again = { code: 1, stdout: '', stderr: 'jwt-allauth: the user has no authenticator app\n' };
    expect(await run('--user', claimsOf(client.access).sub)).toEqual(again);
  });

  test('is refused for an unknown user, and without --user', async () => {
    const unknown = { code: 1, stdout: '', stderr: 'jwt-allauth: there is no user with this id\n' };
    expect(await run('--user', randomUUID())).toEqual(unknown);
    expect(await run()).toMatchObject({ code: 2, stderr: expect.stringMatching(/required option '--user/) });
  });

  test('ends by itself, also if the app exports an instance of its ORM', async () => {
    const { code, stderr } = await runCli(
      ['mfa', 'reset', '--user', randomUUID(), '--orm', `${ORM}#withTotp`],
      variables(app),
    );
    expect([code, stderr]).toEqual([1, 'jwt-allauth: there is no user with this id\n']);
    const unknown = await runCli(['mfa', 'reset', '--orm', `${ORM}#makeInstance`], variables(app));
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringMatching(/unknown command 'mfa'/)]);
  });
});
