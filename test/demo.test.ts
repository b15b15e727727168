import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CreateUsers } from '../demo/create-users.migration.js';
import { MODULES } from '../demo/modules.js';
import { User } from '../demo/user.entity.js';
import { authMigrations, createAuthEntities } from '../src/index.js';
import { freePort } from '../src/testing/free-port.js';
import { ProofSigner } from './support/bound-client.js';
import { COMPILE_CACHE } from './support/compile-cache.js';
import { secrets } from './support/secrets.js';
import { createTestDatabase, type TestDatabase } from './support/test-database.js';
import { until } from './support/until.js';

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL('../dist/demo/main.js', import.meta.url));
const STAFF_PASSWORD = 'the staff of the demo';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-demo-'));
  secrets.add(STAFF_PASSWORD);
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
  secrets.assertNoneShown();
});

/** A demo process: its output, and how it ended. */
function start(env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [MAIN], {
    cwd: directory,
    env: {
      ...COMPILE_CACHE,
      PATH: process.env.PATH,
      DEMO_DATA: join(directory, 'data'),
      DEMO_STAFF_PASSWORD: STAFF_PASSWORD,
      ...env,
    },
  });
  const demo = {
    child,
    output: '',
    ended: once(child, 'exit').then(([code]) => code as number | null),
    /** Resolves when the demo serves; rejects when the process ends before that. */
    ready: new Promise<string>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk) => {
          demo.output += chunk;
          if (/reuse|sign in again/.test(demo.output)) resolve(/demo at (\S+);/.exec(demo.output)?.[1] ?? '');
        });
      }
      child.once('exit', () => reject(new Error(`the demo ended: ${demo.output}`)));
    }),
    stop: async (signal: NodeJS.Signals = 'SIGINT') => {
      child.kill(signal);
      const code = await demo.ended;
      secrets.saw('the output of the demo', demo.output);
      return code;
    },
  };
  demo.ready.catch(() => {});
  return demo;
}

const failure = async (env: Record<string, string>) => {
  const demo = start(env);
  return { code: await demo.ended, output: demo.output.trim() };
};

const request = async (url: string, path: string, init: { method?: string; token?: string; body?: unknown } = {}) => {
  const response = await fetch(url + path, {
    method: init.method ?? (init.body ? 'POST' : 'GET'),
    headers: { 'content-type': 'application/json', ...(init.token && { authorization: `Bearer ${init.token}` }) },
    body: init.body ? JSON.stringify(init.body) : undefined,
  });
  return { status: response.status, body: JSON.parse((await response.text()) || '{}') };
};

describe('the demo with its own PostgreSQL', () => {
  test('runs the commands that it prints, survives a kill, keeps its data, and leaves no server running', async () => {
    const port = String(await freePort());
    const first = start({ PORT: port });
    const url = await first.ready;
    expect(url).toBe(`http://localhost:${port}`);

    const lines = first.output.slice(first.output.indexOf('# sign up'));
    const { stdout } = await run('bash', ['-c', lines], { cwd: directory });
    const answers = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(answers).toMatchObject([
      { permissions: [] },
      { email: expect.stringMatching(/^ada\d+@example.com$/) },
      { access: expect.any(String) },
      { access: expect.any(String) },
      { code: 'refresh_token_reused' },
      { code: 'token_not_valid' },
    ]);

    first.child.kill('SIGKILL');
    await first.ended;
    const second = start({ PORT: port });
    await second.ready;
    const { email } = answers[1];
    const again = await request(url, '/auth/login', { body: { email, password: 'a long sentence' } });
    expect(again.status).toBe(200);
    expect((await request(url, '/profile/id', { token: answers[3].access })).status).toBe(200); // the secret was kept

    const beside = await failure({ PORT: String(await freePort()) });
    expect(beside.code).toBe(1);
    expect(beside.output).toMatch(/^Another process is using the database in \S+: stop it, or set DATABASE_URL\.$/);

    expect(await second.stop()).toBe(0);
    expect(existsSync(join(directory, 'data', 'postgres', 'postmaster.pid'))).toBe(false);
    await expect(fetch(`${url}/health`)).rejects.toThrow();
  });
});

describe('the demo with DATABASE_URL', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  const shared = async () => ({
    DATABASE_URL: database.url,
    PORT: String(await freePort()),
    DEMO_DATA: join(directory, 'shared'),
  });

  test('runs twice in parallel: staff can change users, and there is one staff user', async () => {
    const demos = [start(await shared()), start(await shared())];
    const [one = '', two = ''] = await Promise.all(demos.map(({ ready }) => ready));
    const staff = await request(one, '/auth/login', { body: { email: 'staff@example.com', password: STAFF_PASSWORD } });
    const member = await request(two, '/auth/registration', {
      body: { email: 'm@example.com', password: 'a long sentence' },
    });
    const { id } = (await request(one, '/profile/id', { token: member.body.access })).body;
    const change = (body: object, token = staff.body.access) =>
      request(two, `/admin/users/${id}`, { method: 'PATCH', body, token });

    // The demo prints its mails: the link confirms the address, which a user must do before inviting anybody.
    const [, demo] = demos;
    await until(() => /\/verification\/\S+/.test(demo?.output ?? ''));
    expect((await request(two, '/profile/invite', { method: 'POST', token: member.body.access })).status).toBe(403);
    const [path = ''] = /\/auth\/registration\/verification\/\S+/.exec(demo?.output ?? '') ?? [];
    const page = await fetch(two + path);
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('Your address is confirmed')]);

    expect((await change({ role: 1000 }, member.body.access)).status).toBe(403);
    expect(await change({ permissions: ['read'], role: 700 })).toEqual({
      status: 200,
      body: { id, email: 'm@example.com', permissions: ['read'], role: 700, isActive: true },
    });
    for (const wrong of [
      { password: 'x' },
      { permissions: 'read' },
      { permissions: ['\0'] },
      { permissions: ['\ud800'] },
      { role: 1e11 },
      { role: -1 },
    ]) {
      expect((await change(wrong)).body.code, JSON.stringify(wrong)).toBe('validation_failed');
    }
    const found = await request(two, '/admin/users?email=%00M@', { token: staff.body.access });
    expect(found).toMatchObject({ status: 200, body: [{ id, permissions: ['read'], role: 700 }] });
    expect((await request(one, '/profile/publish', { method: 'POST', token: member.body.access })).status).toBe(403);
    const renewed = await request(one, '/auth/login', {
      body: { email: 'm@example.com', password: 'a long sentence' },
    });
    const { access } = renewed.body;
    expect((await request(two, '/profile/publish', { method: 'POST', token: access })).body).toEqual({
      published: true,
    });
    expect((await request(two, '/profile/invite', { method: 'POST', token: access })).body).toEqual({ invited: true });
    expect((await request(two, '/profile', { token: access })).body).toMatchObject({ permissions: ['read'] });
    expect((await request(two, '/profile/export', { method: 'POST', token: access })).body).toEqual({ exported: true });
    expect((await request(two, '/profile/transfer', { method: 'POST', token: access })).body).toMatchObject({
      status: 401,
      code: 'second_factor_required',
    });
    const status = { mode: 'optional', totp: false, recoveryCodesLeft: 0, passkeys: 0 };
    expect(await request(one, '/auth/mfa', { token: access })).toEqual({ status: 200, body: status });
    expect((await change({ isActive: false })).body.isActive).toBe(false);
    expect((await request(two, '/profile', { token: access })).body.code).toBe('token_not_valid');
    const { rows } = await database.pool.query('select enabled from auth_session where user_id = $1', [id]);
    expect(rows).toEqual([{ enabled: false }, { enabled: false }]);

    const { paths } = (await request(one, '/openapi.json')).body;
    expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/auth/login', '/admin/users/{id}', '/profile']));
    expect(await (await fetch(`${one}/docs`)).text()).toContain('<rapi-doc spec-url="/openapi.json"');
    expect((await fetch(`${one}/docs/rapidoc.js`)).headers.get('content-type')).toMatch(/javascript/);

    expect(await request(one, '/health')).toEqual({ status: 200, body: { status: 'ok' } });
    const { rows: staffRows } = await database.pool.query(
      `select role from demo_user where email = 'staff@example.com'`,
    );
    expect(staffRows).toEqual([{ role: 1000 }]);
    expect(await Promise.all(demos.map((demo) => demo.stop('SIGTERM')))).toEqual([0, 0]);
  });

  test('migrates the database of an older demo, which had no second factors', async () => {
    const older = await createTestDatabase();
    const orm = await MikroORM.init({
      clientUrl: older.url,
      entities: [User, ...createAuthEntities({ user: () => User })],
      extensions: [Migrator],
      migrations: {
        migrationsList: [{ name: 'create_users', class: CreateUsers }, ...authMigrations()],
        snapshot: false,
        silent: true,
      },
    });
    await orm.migrator.up();
    await orm.close();
    const demo = start({ ...(await shared()), DATABASE_URL: older.url });
    const url = await demo.ready;
    const { body } = await request(url, '/auth/registration', {
      body: { email: 'older@example.com', password: 'a long sentence' },
    });
    const setUp = await request(url, '/auth/mfa/totp/setup', { token: body.access, body: {} });
    expect(setUp).toMatchObject({
      status: 200,
      body: { uri: expect.stringContaining('otpauth://totp/jwt-allauth%20demo:') },
    });
    expect(await demo.stop()).toBe(0);
    await older.drop();
  });

  test('shows the theft story in request bodies when tokens travel in bodies', async () => {
    const demo = start({ ...(await shared()), JWT_ALLAUTH_REFRESH_TOKEN_AS_COOKIE: 'false' });
    await demo.ready;
    const { stdout } = await run('bash', ['-c', demo.output.slice(demo.output.indexOf('field()'))], { cwd: directory });
    const codes = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).code);
    expect(codes).toEqual([undefined, undefined, undefined, undefined, 'refresh_token_reused', 'token_not_valid']);
    expect(await demo.stop()).toBe(0);
  });

  test('tells the story of a copied token that needs a key: the thief is refused, and the owner goes on', async () => {
    const demo = start(await shared());
    const url = await demo.ready;
    const key = await ProofSigner.create();
    let cookie = '';
    const send = async (method: string, path: string, headers: Record<string, string> = {}, body?: object) => {
      const sent = { 'content-type': 'application/json', cookie, ...headers };
      const response = await fetch(url + path, { method, headers: sent, body: body && JSON.stringify(body) });
      cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? cookie;
      return JSON.parse(await response.text());
    };
    const prove = async (path: string) => ({ dpop: await key.proof('POST', url + path, Date.now()) });
    const owner = { email: 'bound@example.com', password: 'a long sentence' };
    expect((await send('GET', '/demo.json')).isBound).toBe(false);
    const { access } = await send('POST', '/auth/registration', await prove('/auth/registration'), owner);
    const authorization = `Bearer ${access}`;
    expect((await send('GET', '/demo.json')).isBound).toBe(true);
    await send('POST', '/theft/copy', { authorization });
    const tried = await send('POST', '/theft/refresh', { authorization });
    await send('POST', '/auth/refresh', await prove('/auth/refresh'));
    const retried = await send('POST', '/theft/refresh', { authorization });
    expect([tried.outcome, retried.outcome]).toMatchObject([
      { status: 401, code: 'dpop_proof_invalid' },
      { status: 401, code: 'dpop_proof_invalid' },
    ]);
    const [first, second] = [tried.family.owner, retried.family.owner];
    expect((await send('GET', '/theft/family', { authorization })).family).toMatchObject({
      isBound: true,
      owner: second,
      thief: first,
      events: [
        { kind: 'opened', received: first },
        { kind: 'copied', presented: first },
        { kind: 'no-key', by: 'thief', presented: first },
        { kind: 'rotated', by: 'owner', presented: first, received: second },
        { kind: 'no-key', by: 'thief', presented: first },
      ],
    });
    expect(await send('POST', '/auth/refresh', await prove('/auth/refresh'))).toEqual({ access: expect.any(String) });

    // A clock that is wrong costs one more request, and is no refusal.
    const early = { dpop: await key.proof('POST', `${url}/auth/refresh`, Date.now() - 3_600_000) };
    expect((await send('POST', '/auth/refresh', early)).code).toBe('use_dpop_nonce');
    const { family } = await send('GET', '/theft/family', { authorization });
    expect(family.events.map(({ kind }: { kind: string }) => kind).slice(4)).toEqual(['no-key', 'rotated']);
    expect(await demo.stop()).toBe(0);
  });

  test('ends with one clear sentence and code 1 when it cannot start', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const secret = 'sesame-open-please';
    secrets.add(secret);
    const cases: [Record<string, string>, RegExp][] = [
      [
        { ...(await shared()), PORT: String(port) },
        new RegExp(`^Port ${port} is in use: choose another with PORT\\.$`),
      ],
      [{ ...(await shared()), PORT: 'http' }, /^PORT must be a number from 0 to 65535\.$/],
      [
        { ...(await shared()), DATABASE_URL: `postgresql://me:${secret}@127.0.0.1:1/db` },
        /^The database of DATABASE_URL cannot be used: connect ECONNREFUSED 127\.0\.0\.1:1$/,
      ],
      [
        { ...(await shared()), JWT_ALLAUTH_REFRESH_TOKEN_AS_COOKIE: 'yes', JWT_ALLAUTH_ISUER: secret },
        /^The settings cannot be used:\n {2}JWT_ALLAUTH_ISUER is not a setting; the nearest name is JWT_ALLAUTH_ISSUER\n {2}JWT_ALLAUTH_REFRESH_TOKEN_AS_COOKIE must be true or false$/,
      ],
      [
        { ...(await shared()), JWT_ALLAUTH_REFRESH_TOKEN: './nowhere.js#Token' },
        /^The settings cannot be used:\n {2}JWT_ALLAUTH_REFRESH_TOKEN names the module \.\/nowhere\.js, which cannot be loaded/,
      ],
    ];
    for (const [env, sentence] of cases) {
      const { code, output } = await failure(env);
      secrets.saw('the output of the demo', output);
      expect(output).toMatch(sentence);
      expect(code).toBe(1);
    }
    taken.close();
  });
});

test('.env.example names every variable that the demo reads, and nothing else', async () => {
  const read = (path: string) => readFile(new URL(`../${path}`, import.meta.url), 'utf8');
  const named = [...(await read('.env.example')).matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name);
  const { variableOf } = await import('../src/settings/settings-from-env.js');
  const { settingNames } = await import('../src/settings/settings.js');
  const settings = settingNames(MODULES).filter((property) => property !== 'development');
  const sources = await Promise.all(['demo/main.ts', 'demo/database.ts'].map(read));
  const own = [...sources.join().matchAll(/env\.([A-Z_]+)/g)].map(([, name]) => name);
  expect(new Set(named)).toEqual(new Set([...settings.map(variableOf), ...own, 'NODE_ENV']));
});
