import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { terminalWalkthrough } from '../../demo/terminal-walkthrough.js';
import { ErrorCode, Settings } from '../../src/index.js';
import { STANDARD_MODULES } from '../../src/standard-modules.js';
import { freePort } from '../../src/testing/free-port.js';
import { blocks, manual } from '../support/manual.js';
import { ManualApp, requiredPeers } from '../support/manual-app.js';
import { SECRET } from '../support/test-app.js';
import { TestClient } from '../support/test-client.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

describe('the app that the README builds from an empty folder', () => {
  let manualApp: ManualApp;
  let directory: string;
  let database: TestDatabase;
  let client: TestClient;
  let stop: () => Promise<unknown>;

  beforeAll(async () => {
    database = await createTestDatabase();
    manualApp = await ManualApp.build();
    directory = manualApp.directory;
    const port = await freePort();
    const child = spawn(process.execPath, ['dist/main.js'], {
      cwd: directory,
      env: {
        DATABASE_URL: database.url,
        NODE_ENV: 'development',
        PORT: String(port),
        JWT_ALLAUTH_SECRET_KEY: SECRET,
        JWT_ALLAUTH_REFRESH_TOKEN: './dist/refresh-token.js#RefreshToken',
      },
      stdio: 'inherit',
    });
    stop = () => {
      child.kill();
      return once(child, 'exit');
    };
    client = new TestClient(`http://127.0.0.1:${port}`, 'cookie', 'refresh_token');
    while (!(await fetch(client.url).catch(() => undefined))) expect(child.exitCode).toBeNull();
  });
  afterAll(async () => {
    await stop();
    await database.drop();
    await manualApp.remove();
  });

  test('signs up, carries a changed permission after one refresh, loads the user, and asks for roles', async () => {
    expect((await client.register('reader@example.com')).status).toBe(201);
    const { body } = await client.get('/profile/id');
    expect(body).toEqual({ id: expect.any(String), permissions: [] });
    await database.pool.query(`update "user" set permissions = '["write"]' where id = $1`, [body.id]);
    expect((await client.get('/profile/id')).body.permissions).toEqual([]);
    await client.refresh();
    expect((await client.get('/profile/id')).body.permissions).toEqual(['write']);
    expect((await client.get('/profile')).body).toEqual({ email: 'reader@example.com' });
    expect((await client.send('POST', '/profile/publish', undefined, client.bearer)).body.code).toBe(
      'permission_denied',
    );
    expect((await client.send('POST', '/profile/invite', undefined, client.bearer)).body).toEqual({ invited: true });
    expect((await client.get('/profile/nowhere')).status).toBe(404);
  });

  test('has tests of its own that pass, with the embedded database', async () => {
    const { stdout } = await run(process.execPath, ['--test', 'dist/profile.test.js'], { cwd: directory });
    expect(stdout).toMatch(/pass 2\n[\s\S]*fail 0\n/);
  });

  test('is found by the command line, which refuses nothing and warns of three choices of the example', async () => {
    const variables = {
      DATABASE_URL: database.url,
      JWT_ALLAUTH_SECRET_KEY: randomBytes(48).toString('base64'),
      JWT_ALLAUTH_ENCRYPTION_KEYS: randomBytes(32).toString('base64'),
    };
    const cli = join(ROOT, 'dist/src/cli/main.js');
    const { stdout } = await run(process.execPath, [cli, 'check', '--json'], { cwd: directory, env: variables });
    const { ok, checks } = JSON.parse(stdout);
    expect(ok).toBe(true);
    const told = checks.filter(({ status }: { status: string }) => status !== 'ok');
    // Choices of the example: sessions without an end, `schema.update`, and addresses that nobody proves.
    expect(told.map(({ name }: { name: string }) => name)).toEqual(['session-lifetime', 'fillfactor', 'verification']);
    const { stdout: purged } = await run(process.execPath, [cli, 'purge'], { cwd: directory, env: variables });
    expect(purged).toContain('sessions: 0 deleted');
  });

  test.each([
    ['predicates', 'can', 'isMember'],
    ['machines', 'Machines'],
    ['keychain', 'keychainStore', 'createAuth'],
    ['ticket.controller', 'createTicketController'],
    ['cors', 'allowOrigins'],
    ['report', 'addReport'],
    ['sockets', 'acceptSockets', 'closeInTime'],
    ['nightly', 'purgeNightly'],
    ['support-desk', 'supportDesk'],
    ['payments.controller', 'PaymentsController'],
    ['alarm', 'raiseAlarmOnTheft'],
    ['queue-mailer', 'QueueMailer'],
    ['new-password', 'setNewPassword'],
    ['browser', 'auth', 'start'],
    ['use-tokens', 'useTokens'],
    ['production.config', 'default'],
    ['health.controller', 'HealthController'],
    ['create-users.migration', 'CreateUsers'],
    ['fast-server', 'createFastServer'],
    ['company-registration', 'CompanyRegistration'],
    ['company-fields', 'inputs'],
    ['own-policy', 'OwnPolicy'],
    ['members-only', 'membersOnly'],
    ['hooks', 'hooks', 'maintenance', 'suspendedTenants'],
    ['containers', 'shop', 'staff', 'useBothContainers'],
    ['described-server', 'createDescribedServer'],
    ['settings', 'fromVariables', 'fromCode'],
  ])('has a %s snippet that compiles and exports what it shows', async (file, ...names) => {
    expect(Object.keys(await import(join(directory, 'dist', `${file}.js`))).sort()).toEqual(names.sort());
  });
});

test('the README installs what package.json asks for', () => {
  const install = blocks.find(({ text }) => text.includes('npm install jwt-allauth'))?.text ?? '';
  const [, packages = ''] = /npm install jwt-allauth ([^&]*?)\nnpm install/.exec(install.replaceAll('\\\n', '')) ?? [];
  const names = packages
    .trim()
    .split(/\s+/)
    .map((each) => each.replace(/(?<=.)@.*/, ''));
  expect(names.sort()).toEqual([...requiredPeers].sort());
});

test('the README has the lines that the demo prints', () => {
  expect(blocks.map(({ text }) => text.trim())).toContain(terminalWalkthrough('http://127.0.0.1:3000', true));
});

test('the README explains every error code', () => {
  const ofModules = STANDARD_MODULES.flatMap(({ errors }) => Object.keys(errors ?? {}));
  for (const code of [...Object.values(ErrorCode), ...ofModules]) expect(manual).toContain(`\`${code}\``);
});

test('the README names every setting, event and reason', () => {
  const { development: _, ...settings } = new Settings();
  const names = Object.keys(settings).map((name) => name.replace(/[A-Z]/g, '_$&').toUpperCase());
  const cookie = names.filter((name) => name.startsWith('REFRESH_TOKEN_COOKIE_'));
  for (const name of names.filter((each) => !cookie.includes(each))) expect(manual).toContain(name);
  const events = eventNames();
  expect(events).toContain('user.deleted');
  for (const name of events) expect(manual).toContain(`\`${name}\``);
});

/** The events that the sources declare, wherever. */
function eventNames(): string[] {
  const sources = globSync('src/**/*.ts').map((path) => readFileSync(path, 'utf8'));
  const maps = sources.flatMap((text) => text.match(/interface AuthEventMap \{[^}]*\}/g) ?? []);
  return maps.flatMap((map) => [...map.matchAll(/'([\w.-]+)':/g)].map(([, name = '']) => name));
}
