import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv, promisify, stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { terminalWalkthrough } from '../../demo/terminal-walkthrough.js';
import { AuthClient } from '../../src/client/index.js';
import { ErrorCode, Settings, settingsFromEnv } from '../../src/index.js';
import { STANDARD_MODULES } from '../../src/standard-modules.js';
import { freePort } from '../../src/testing/free-port.js';
import { ClientNetwork } from '../support/client-network.js';
import { COMPILE_CACHE } from '../support/compile-cache.js';
import { blocks, manual, pages } from '../support/manual.js';
import { BCRYPT, ManualApp, requiredPeers } from '../support/manual-app.js';
import { SECRET } from '../support/test-app.js';
import { PASSWORD, TestClient } from '../support/test-client.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Runs the README's block that writes `.env`, compiles and starts; with an address of this machine for the database. */
async function startAsTheReadmeSays(directory: string, databaseUrl: string) {
  const block = blocks.find(({ text }) => text.startsWith('cat > .env'))?.text ?? '';
  const lines = block.replace('postgresql://user:password@127.0.0.1:5432/app', databaseUrl);
  expect(lines).toContain(`DATABASE_URL=${databaseUrl}`);
  const PATH = `${join(ROOT, 'node_modules/.bin')}:${process.env.PATH}`;
  const options = { cwd: directory, detached: true, env: { ...COMPILE_CACHE, PATH, PORT: String(await freePort()) } };
  const child = spawn('bash', ['-ec', lines], { ...options, stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await new Promise<string>((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      const [, found] = /^listening on (\S+)$/m.exec(output) ?? [];
      if (found) resolve(found);
    });
    child.once('exit', (code) => reject(new Error(`the app ended with ${code}: ${output}`)));
  });
  const stop = () => {
    process.kill(-(child.pid ?? 0));
    return once(child, 'exit');
  };
  return { url, stop };
}

describe('the app of the README, built from an empty folder', () => {
  let manualApp: ManualApp;
  let directory: string;
  let database: TestDatabase;
  let client: TestClient;
  let stop: (() => Promise<unknown>) | undefined;

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.pool.query('create table orders as select 1 as id');
    manualApp = await ManualApp.build();
    directory = manualApp.directory;
    const started = await startAsTheReadmeSays(directory, database.url);
    stop = started.stop;
    client = new TestClient(started.url, 'cookie', 'refresh_token');
  });
  afterAll(async () => {
    await stop?.();
    await database.drop();
    await manualApp.remove();
  });

  test('signs up, carries a changed permission after one refresh, loads the user, and requires roles', async () => {
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

  test('keeps its secret in a file that git ignores', async () => {
    expect(await readFile(join(directory, '.gitignore'), 'utf8')).toBe('.env\nnode_modules\ndist\n');
    const { JWT_ALLAUTH_SECRET_KEY, ...others } = parseEnv(await readFile(join(directory, '.env'), 'utf8'));
    expect(JWT_ALLAUTH_SECRET_KEY).toMatch(/^[\w+/]{64}$/);
    expect(others).toEqual({ DATABASE_URL: database.url, NODE_ENV: 'development' });
  });

  test('keeps tables that do not belong to it', async () => {
    expect((await database.pool.query('select id from orders')).rows).toEqual([{ id: 1 }]);
  });

  test('runs on the PostgreSQL of the page on the quick start, whose database the app creates', async () => {
    const port = await freePort();
    const program = `
      import 'reflect-metadata';
      import { MikroORM } from '@mikro-orm/postgresql';
      import { spawn } from 'node:child_process';
      import { once } from 'node:events';
      import { createInterface } from 'node:readline';
      const child = spawn(process.execPath, ['dist/dev-database.js'], { stdio: ['ignore', 'pipe', 'inherit'] });
      const [line] = await once(createInterface({ input: child.stdout }), 'line');
      process.env.DATABASE_URL = line.replace('DATABASE_URL=', '');
      const { default: config } = await import('./mikro-orm.config.js');
      const orm = await MikroORM.init(config);
      await orm.schema.update({ safe: true });
      const [{ name }] = await orm.em.fork().execute('select current_database() as name');
      const users = await orm.em.fork().execute('select count(*)::int as count from "user"');
      await orm.close();
      child.kill('SIGINT');
      const [code] = await once(child, 'exit');
      console.log(JSON.stringify({ line, name, users, code }));`;
    await writeFile(join(directory, 'dist/try-dev-database.js'), program);
    const env = { ...COMPILE_CACHE, PATH: process.env.PATH, POSTGRES_PORT: String(port) };
    const { stdout } = await run(process.execPath, ['dist/try-dev-database.js'], { cwd: directory, env });
    expect(JSON.parse(stdout)).toEqual({
      line: expect.stringMatching(new RegExp(`^DATABASE_URL=postgresql://[^@]+@127\\.0\\.0\\.1:${port}/app$`)),
      name: 'app',
      users: [{ count: 0 }],
      code: 0,
    });
  });

  test('fits the PostgreSQL that Docker starts', () => {
    const docker = blocks.find(({ text }) => text.startsWith('docker run'))?.text ?? '';
    const value = (name: string) => new RegExp(`POSTGRES_${name}=(\\S+)`).exec(docker)?.[1];
    const [, port] = /127\.0\.0\.1:(\d+):5432/.exec(docker) ?? [];
    const url = `postgresql://${value('USER')}:${value('PASSWORD')}@127.0.0.1:${port}/${value('DB')}`;
    expect(manual).toContain(`\nDATABASE_URL=${url}\n`);
  });

  test('creates a user with a hash of an older system, who can sign in', async () => {
    const program = `
      import { startTestApp } from './start-test-app.js';
      import { useContainer } from 'routing-controllers';
      import { Container } from 'typedi';
      import { legacyPasswords } from './legacy-passwords.js';
      import { createUserWithHash } from './old-hash.js';
      import { User } from './user.entity.js';
      useContainer(Container);
      const app = await startTestApp({ user: User, legacyPasswords });
      const { email } = await createUserWithHash(app, '${BCRYPT.hash}');
      const body = JSON.stringify({ email, password: '${BCRYPT.password}' });
      const headers = { 'Content-Type': 'application/json' };
      console.log((await fetch(app.url + '/auth/login', { method: 'POST', headers, body })).status);
      await app.close();`;
    await writeFile(join(directory, 'dist/try-old-hash.js'), program);
    expect((await run(process.execPath, ['dist/try-old-hash.js'], { cwd: directory })).stdout).toBe('200\n');
  });

  test('tests a controller that gets the ORM of the test app from the container', async () => {
    const line = /`(Container\.set\(MikroORM, app\.orm\))`/.exec(pages.get('docs/testing.md') ?? '')?.[1];
    const program = `
      import { MikroORM } from '@mikro-orm/postgresql';
      import { startTestApp } from './start-test-app.js';
      import { useContainer } from 'routing-controllers';
      import { Container } from 'typedi';
      import { HealthController } from './health.controller.js';
      import { User } from './user.entity.js';
      useContainer(Container);
      const app = await startTestApp({ user: User, server: { controllers: [HealthController] } });
      ${line};
      console.log(await (await fetch(app.url + '/health')).text());
      await app.close();`;
    await writeFile(join(directory, 'dist/try-health.js'), program);
    const { stdout } = await run(process.execPath, ['dist/try-health.js'], { cwd: directory });
    expect(stdout).toBe('{"status":"ok"}\n');
  });

  test('has the files for Jest, which start and stop a PostgreSQL for a test that passes', async () => {
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
    const config = `export default { test: { include: ['dist/**/*.jest.js'], exclude: [], hookTimeout: 60_000,
      alias: { '@jest/globals': 'vitest' } } };`;
    const program = `
      import { spawnSync } from 'node:child_process';
      import setUp from './jest-setup.js';
      import tearDown from './jest-teardown.js';
      await setUp();
      const { stdout, stderr } = spawnSync(process.execPath, ['${vitest}', 'run', '--config', 'dist/as-jest.config.js'],
        { encoding: 'utf8' });
      await tearDown();
      console.log(stdout + stderr);`;
    await writeFile(join(directory, 'dist/as-jest.config.js'), config);
    await writeFile(join(directory, 'dist/try-jest.js'), program);
    const { stdout } = await run(process.execPath, ['dist/try-jest.js'], { cwd: directory });
    expect(stripVTControlCharacters(stdout)).toMatch(/Tests +1 passed \(1\)/);
  });

  test('answers the curl commands of the page on the quick start', async () => {
    const block = blocks.find(({ text }) => text.includes('-c jar.txt http://localhost:3000'))?.text ?? '';
    const lines = block.replaceAll('http://localhost:3000', client.url);
    const { stdout } = await run('bash', ['-ec', lines], { cwd: directory });
    expect(stdout).toMatch(/^\{"email":"ada@example\.com"\}\n\{"access":"[^"]+"\}\n204\n$/);
  });

  test('serves the client of the README, which signs in once and is restored at the next visit', async () => {
    const email = 'visitor@example.com';
    await client.copy().register(email);
    const { loadProfile } = await import(join(directory, 'dist/client.js'));
    const { fetch } = new ClientNetwork();
    const ask = vi.fn(async () => ({ email, password: PASSWORD }));
    for (let visit = 0; visit < 2; visit++) {
      const auth = new AuthClient({ url: `${client.url}/auth`, fetch });
      expect(await loadProfile(auth, ask, `${client.url}/profile`)).toEqual({ email });
      auth.close();
    }
    expect(ask).toHaveBeenCalledTimes(1);
  });

  test('can be added to an existing Express app', async () => {
    const program = `
      import { startTestApp } from './start-test-app.js';
      import { useContainer } from 'routing-controllers';
      import { Container } from 'typedi';
      import { createApp } from './existing-app.js';
      import { User } from './user.entity.js';
      useContainer(Container);
      const { auth, createUser, signIn, close } = await startTestApp({ user: User });
      const server = createApp(auth).listen(0);
      const { headers } = await signIn(await createUser({ email: 'ada@example.com' }));
      const answers = [];
      for (const path of ['hello', 'profile', 'nowhere']) {
        const answer = await fetch('http://127.0.0.1:' + server.address().port + '/' + path, { headers });
        answers.push([answer.status, await answer.text()]);
      }
      console.log(JSON.stringify(answers));
      server.close();
      await close();`;
    await writeFile(join(directory, 'dist/try-existing-app.js'), program);
    const { stdout } = await run(process.execPath, ['dist/try-existing-app.js'], { cwd: directory });
    expect(JSON.parse(stdout)).toEqual([
      [200, 'hello'],
      [200, '{"email":"ada@example.com"}'],
      [404, '{"code":"not_here"}'],
    ]);
  });

  test('has its own passing tests, with the embedded database', async () => {
    const files = ['dist/profile.test.js', 'dist/provider.test.js', 'dist/passkeys.test.js'];
    const { stdout } = await run(process.execPath, ['--test', ...files], { cwd: directory });
    expect(stdout).toMatch(/pass 5\n[\s\S]*fail 0\n/);
  });

  test('has tests for Vitest that pass on one database server for all', async () => {
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
    const { stdout } = await run(process.execPath, [vitest, 'run'], {
      cwd: directory,
      env: { ...COMPILE_CACHE, PATH: process.env.PATH },
    });
    expect(stripVTControlCharacters(stdout)).toMatch(/Tests +1 passed \(1\)/);
  });

  test('works with the command line, which refuses nothing and warns about three choices of the example', async () => {
    const variables = {
      ...COMPILE_CACHE,
      DATABASE_URL: database.url,
      JWT_ALLAUTH_SECRET_KEY: randomBytes(48).toString('base64'),
      JWT_ALLAUTH_ENCRYPTION_KEYS: randomBytes(32).toString('base64'),
    };
    const cli = join(ROOT, 'dist/src/cli/main.js');
    const { stdout } = await run(process.execPath, [cli, 'check', '--json'], { cwd: directory, env: variables });
    const { ok, checks } = JSON.parse(stdout);
    expect(ok).toBe(true);
    const { stdout: ofFile } = await run(process.execPath, [cli, 'check', '--env', '.env'], {
      cwd: directory,
      env: COMPILE_CACHE,
    });
    expect(ofFile).toMatch(/^ok +settings: /m);
    const warned = [...ofFile.matchAll(/^(?:warning|failed) +([a-z-]+): /gm)].map(([, name]) => name);
    const [, table = ''] = /four warnings\.[^|]*([^*]*)\*\*If/.exec(pages.get('docs/quick-start.md') ?? '') ?? [];
    const explained = [...table.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name);
    expect(explained.sort()).toEqual(warned.sort());
    expect(explained).toHaveLength(4);
    const reported = checks.filter(({ status }: { status: string }) => status !== 'ok');
    // Choices of the example: sessions without an end, `schema.update`, and unconfirmed addresses.
    expect(reported.map(({ name }: { name: string }) => name)).toEqual([
      'session-lifetime',
      'fillfactor',
      'verification',
    ]);
    const { stdout: purged } = await run(process.execPath, [cli, 'purge'], { cwd: directory, env: variables });
    expect(purged).toContain('sessions: 0 deleted');
  });

  test.each([
    ['predicates', 'can', 'isMember'],
    ['machines', 'Machines'],
    ['keychain', 'keychainStore', 'createAuth'],
    ['keystore', 'keysIn'],
    ['ticket.controller', 'createTicketController'],
    ['ticket-page', 'signInWithTicket'],
    ['proof', 'proofFor'],
    ['test-client', 'newClient'],
    ['cors', 'allowOrigins'],
    ['report', 'addReport'],
    ['sockets', 'acceptSockets', 'closeInTime', 'closeSocket'],
    ['live', 'serveSockets'],
    ['logger', 'logger'],
    ['nightly', 'purgeNightly'],
    ['support-desk', 'supportDesk'],
    ['payments.controller', 'PaymentsController'],
    ['payouts.controller', 'PayoutsController'],
    ['erase', 'eraseHistory'],
    ['alarm', 'raiseAlarmOnTheft'],
    ['queue-mailer', 'QueueMailer'],
    ['new-password', 'setNewPassword'],
    ['browser', 'auth', 'start'],
    ['use-tokens', 'useTokens'],
    ['production.config', 'default'],
    ['health.controller', 'HealthController'],
    ['stop', 'stop'],
    ['create-users.migration', 'CreateUsers'],
    ['fast-server', 'createFastServer'],
    ['company-registration', 'CompanyRegistration'],
    ['company-fields', 'inputs'],
    ['company-users', 'CompanyUsers'],
    ['own-policy', 'OwnPolicy'],
    ['members-only', 'membersOnly'],
    ['hooks', 'hooks', 'maintenance', 'suspendedTenants'],
    ['containers', 'shop', 'staff', 'useBothContainers'],
    ['described-server', 'createDescribedServer'],
    ['settings', 'fromVariables', 'fromCode'],
    ['existing-app', 'createApp'],
    ['client', 'loadProfile'],
    ['mail-client', 'auth', 'forgotten'],
    ['factors-client', 'createAuth'],
    ['sign-in', 'signIn'],
    ['set-up-totp', 'setUpTotp'],
    ['visits/visits.client', 'createAuth', 'visitsMethods'],
    ['social-client', 'auth', 'providerButtons', 'startPage'],
    ['providers', 'authEntities', 'migrations', 'settings'],
    ['mapped-profile', 'companyModule'],
    ['kept-tokens', 'accessTokenOf', 'calendarModule'],
    ['auth-modules', 'authEntities', 'migrations', 'settings'],
    ['second-factor', 'authEntities', 'migrations', 'settings'],
    ['magic-link', 'authEntities', 'migrations', 'settings'],
    ['mail-sign-in', 'createAuth', 'signInByMail'],
    ['passkeys', 'authEntities', 'migrations', 'settings'],
    ['passkey-client', 'createAuth', 'signInWithPasskey', 'suggestPasskeys'],
    ['passkey-answer', 'passkeyButton'],
    ['passkey-step-up', 'createAuth'],
    ['passkey-panel', 'addPasskey', 'passkeyLines'],
    ['visits/visits.command', 'addVisitCommand'],
    ['badges/badges.module', 'badgesModule'],
    ['badges/badges.service', 'BadgesService'],
  ])('has a %s snippet that compiles and exports the names that it shows', async (file, ...names) => {
    expect(Object.keys(await import(join(directory, 'dist', `${file}.js`))).sort()).toEqual(names.sort());
  });
});

test('the README installs the packages that package.json requires', () => {
  const install = blocks.find(({ text }) => text.includes('npm install --save-exact jwt-allauth'))?.text ?? '';
  const [, packages = ''] =
    /npm install --save-exact jwt-allauth ([^&]*?)\nnpm install/.exec(install.replaceAll('\\\n', '')) ?? [];
  const names = packages
    .trim()
    .split(/\s+/)
    .map((each) => each.replace(/(?<=.)@.*/, ''));
  expect(names.sort()).toEqual([...requiredPeers].sort());
});

test('the page on the quick start names the token class in a way that works in a .env file', () => {
  const { text = '' } = blocks.find(({ text }) => text.startsWith('JWT_ALLAUTH_REFRESH_TOKEN=')) ?? {};
  const env = { ...parseEnv(text), JWT_ALLAUTH_SECRET_KEY: SECRET, NODE_ENV: 'development' };
  expect(settingsFromEnv(env).refreshToken).toBe('./dist/refresh-token.js#RefreshToken');
});

test('the page on the quick start lists what every user has', () => {
  const source = readFileSync('src/users/base-user.entity.ts', 'utf8');
  const properties = [...source.matchAll(/^ {2}(\w+)[!?]?:/gm)].map(([, name]) => name);
  const [, section = ''] =
    /^## 2\. The user entity\n([\s\S]*?)^## /m.exec(pages.get('docs/quick-start.md') ?? '') ?? [];
  const cells = [...section.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].map(([, cell = '']) => cell);
  expect(cells.flatMap((cell) => cell.replaceAll('`', '').split(', '))).toEqual(properties);
});

test('the page on the demo has the lines that the demo prints', () => {
  expect(blocks.map(({ text }) => text.trim())).toContain(terminalWalkthrough('http://localhost:3000', true));
});

test('no snippet of the manual updates the schema without `safe`, which would drop the tables of others', () => {
  const updates = blocks.flatMap(({ text }) => text.match(/schema\.update\(.*?\)/g) ?? []);
  expect(new Set(updates)).toEqual(new Set(['schema.update({ safe: true })']));
});

test('the manual explains every error code', () => {
  const ofModules = STANDARD_MODULES.flatMap(({ errors }) => Object.keys(errors ?? {}));
  for (const code of [...Object.values(ErrorCode), ...ofModules]) expect(manual).toContain(`\`${code}\``);
});

test('the manual names every setting, event and reason', () => {
  const { development: _, ...settings } = new Settings();
  const names = Object.keys(settings).map((name) => name.replace(/[A-Z]/g, '_$&').toUpperCase());
  const cookie = names.filter((name) => name.startsWith('REFRESH_TOKEN_COOKIE_'));
  for (const name of names.filter((each) => !cookie.includes(each))) expect(manual).toContain(name);
  const events = eventNames();
  expect(events).toContain('user.deleted');
  for (const name of events) expect(manual).toContain(`\`${name}\``);
});

/** The events that the sources declare anywhere. */
function eventNames(): string[] {
  const sources = globSync('src/**/*.ts').map((path) => readFileSync(path, 'utf8'));
  const maps = sources.flatMap((text) => text.match(/interface AuthEventMap \{[^}]*\}/g) ?? []);
  return maps.flatMap((map) => [...map.matchAll(/'([\w.-]+)':/g)].map(([, name = '']) => name));
}
