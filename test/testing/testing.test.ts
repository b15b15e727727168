import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import express from 'express';
import { Authorized, CurrentUser, Get, JsonController } from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test } from 'vitest';
import { BaseUser, createAuthEntities, LoadUser, PasswordHasher, type Principal } from '../../src/index.js';
import {
  createTestDatabase,
  startTestApp,
  type TestApp,
  type TestAppOptions,
  TestClock,
} from '../../src/testing/index.js';
import { connectTo } from '../../src/testing/postgres-client.js';
import { ownContainer } from '../support/containers.js';

@Entity()
class Writer extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @Property({ type: 'json', default: '[]' })
  permissions: string[] = [];
}

@Service()
@JsonController('/notes')
class NoteController {
  @Authorized()
  @Get('/')
  list(@CurrentUser() user: Principal) {
    return { id: user.id };
  }

  @Authorized()
  @LoadUser()
  @Get('/mine')
  mine(@CurrentUser() user: Writer) {
    return { email: user.email, permissions: user.permissions };
  }
}

/** The app under test, on the database of this run. */
async function start(options: Partial<TestAppOptions<Writer>> = {}): Promise<TestApp<Writer>> {
  return startTestApp({
    user: Writer,
    server: { controllers: [NoteController] },
    container: ownContainer(`testing-${randomUUID()}`),
    database: await createTestDatabase(inject('databaseUrl')),
    ...options,
  });
}

test('a test can sign in a user with any methods and any time of authentication', async () => {
  const app = await start();
  onTestFinished(() => app.close());
  const user = await app.createUser();
  const claimsOf = async (...how: Parameters<typeof app.signIn>) => {
    const { claims } = await app.auth.authenticate((await app.signIn(...how)).access);
    return { amr: claims['amr'], authTime: claims['auth_time'] };
  };
  const now = app.clock.now() / 1000;
  expect(await claimsOf(user)).toEqual({ amr: [], authTime: now });
  expect(await claimsOf(user, { amr: ['pwd', 'mfa'] })).toEqual({ amr: ['pwd', 'mfa'], authTime: now });
  expect(await claimsOf(user, { authTime: now - 601 })).toEqual({ amr: [], authTime: now - 601 });
  expect(await claimsOf(user, { authTime: new Date(now * 1000 - 500) })).toEqual({ amr: [], authTime: now - 1 });
});

test('an app that signs with a key pair needs no secret', async () => {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const app = await start({ settings: { algorithm: 'ES256', privateKey } });
  onTestFinished(() => app.close());
  const { headers } = await app.signIn(await app.createUser());
  expect((await call(`${app.url}/notes`, { headers })).status).toBe(200);
});

test('controllers that need the library are created with it, and the listening server is accessible', async () => {
  const app = await start({
    server: (auth) => {
      @Service()
      @JsonController('/prefix')
      class PrefixController {
        @Get('/')
        show() {
          return { prefix: auth.prefix };
        }
      }
      return { controllers: [PrefixController] };
    },
  });
  onTestFinished(() => app.close());
  expect((await call(`${app.url}/prefix`)).body).toEqual({ prefix: app.auth.prefix });
  expect(app.server.address()).toMatchObject({ port: Number(new URL(app.url).port) });
});

/** A typical test of an app: a request, and a check of the answer. */
async function call(url: string, init: { method?: string; headers?: Record<string, string>; body?: object } = {}) {
  const headers = { ...(init.body && { 'content-type': 'application/json' }), ...init.headers };
  const response = await fetch(url, { ...init, headers, body: init.body && JSON.stringify(init.body) });
  return { status: response.status, body: JSON.parse((await response.text()) || '{}') };
}

const refresh = (app: TestApp<Writer>, cookie: string) =>
  call(`${app.url}/auth/refresh`, { method: 'POST', headers: { cookie } });
const login = (app: TestApp<Writer>, email: string, password: string) =>
  call(`${app.url}/auth/login`, { method: 'POST', body: { email, password } });

async function databaseExists(url: string): Promise<boolean> {
  const client = await connectTo(inject('databaseUrl'));
  const { rows } = await client.query('select 1 from pg_database where datname = $1', [new URL(url).pathname.slice(1)]);
  await client.end();
  return rows.length > 0;
}

describe('an app started for a test', () => {
  let app: TestApp<Writer>;
  beforeAll(async () => {
    app = await start({ settings: { accessTokenLifetime: '15m', refreshTokenLifetime: '14d' } });
  });
  afterAll(() => app.close());
  beforeEach(() => {
    app.events.length = 0;
  });

  test('lets only signed-in callers through @Authorized', async () => {
    const user = await app.createUser({ permissions: ['write'] });
    const { headers } = await app.signIn(user);
    expect(await call(`${app.url}/notes`, { headers })).toEqual({ status: 200, body: { id: user.id } });
    expect(await call(`${app.url}/notes/mine`, { headers })).toEqual({
      status: 200,
      body: { email: user.email, permissions: ['write'] },
    });
    expect(await call(`${app.url}/notes`)).toMatchObject({ status: 401, body: { code: 'not_authenticated' } });
  });

  test('also signs in a user by id, in a new session each time', async () => {
    const { id } = await app.createUser();
    const [one, two] = [await app.signIn(id), await app.signIn({ id })];
    expect((await refresh(app, one.cookie)).status).toBe(200);
    expect((await refresh(app, two.cookie)).status).toBe(200);
    expect(await app.orm.em.fork().execute('select 1 from auth_session where user_id = ?', [id])).toHaveLength(2);
  });

  test('refreshes with the cookie', async () => {
    const user = await app.createUser();
    const { access, refresh: token, cookie } = await app.signIn(user);
    expect(cookie).toBe(`refresh_token=${token}`);
    app.clock.advance(60);
    const { status, body } = await refresh(app, cookie);
    expect([status, Object.keys(body)]).toEqual([200, ['access']]);
    expect(body.access).not.toBe(access);
    const headers = { authorization: `Bearer ${body.access}` };
    expect(await call(`${app.url}/notes`, { headers })).toEqual({ status: 200, body: { id: user.id } });
  });

  test('does not sign in users who do not exist or are not active', async () => {
    const { id } = await app.createUser({ isActive: false });
    await expect(app.signIn(id)).rejects.toMatchObject({ code: 'incorrect_credentials' });
    await expect(app.signIn(randomUUID())).rejects.toMatchObject({ code: 'incorrect_credentials' });
  });

  test('has a clock that lets tokens expire to the second', async () => {
    const { headers, cookie } = await app.signIn(await app.createUser());
    app.clock.advance(15 * 60 - 1);
    expect((await call(`${app.url}/notes`, { headers })).status).toBe(200);
    app.clock.advance(1);
    expect(await call(`${app.url}/notes`, { headers })).toMatchObject({
      status: 401,
      body: { code: 'token_not_valid' },
    });
    const kept = await app.signIn(await app.createUser());
    app.clock.set(new Date(app.clock.now() + 14 * 86_400_000 - 1000));
    expect((await refresh(app, kept.cookie)).status).toBe(200);
    app.clock.advance('1s');
    expect(await refresh(app, cookie)).toMatchObject({ status: 401, body: { code: 'token_not_valid' } });
  });

  test('collects events in their order, with their names', async () => {
    const [one, two] = [await app.createUser(), await app.createUser()];
    for (const user of [two, one]) {
      const { cookie } = await app.signIn(user);
      await refresh(app, cookie);
      app.clock.advance('1m');
      expect(await refresh(app, cookie)).toMatchObject({ status: 401, body: { code: 'refresh_token_reused' } });
    }
    const reuses = app.events.ofType('session.reuse-detected');
    expect(reuses.map(({ reuse, user }) => [reuse, user])).toEqual([
      ['replay', two.id],
      ['replay', one.id],
    ]);
    const collected = app.events.filter(({ name }) => name === 'session.reuse-detected');
    expect(collected).toEqual(reuses.map((event) => ({ name: 'session.reuse-detected', event })));
  });

  test('creates active, confirmed users without a password, each with its own address', async () => {
    const users = [await app.createUser(), await app.createUser()];
    const rows = await app.orm.em
      .fork()
      .find(Writer, { id: users.map(({ id }) => id) }, { populate: ['passwordHash'] as never });
    expect(rows).toHaveLength(2);
    for (const row of rows) {
      expect(row).toMatchObject({ isActive: true, emailVerified: true, passwordHash: null, role: 0, permissions: [] });
      expect((await login(app, row.email, 'a sentence of some length')).body.code).toBe('incorrect_credentials');
    }
    expect(rows[0]?.email).not.toBe(rows[1]?.email);
  });

  test('creates a user with a password, who can log in', async () => {
    const user = await app.createUser({
      email: 'Ada@Example.com',
      firstName: 'Ada',
      role: 700,
      password: 'the engine',
    });
    expect((await login(app, 'ada@example.com', 'the engine')).status).toBe(200);
    expect(await login(app, 'ada@example.com', 'another one')).toMatchObject({ status: 401 });
    const { headers } = await app.signIn(user);
    expect((await call(`${app.url}/auth/user`, { headers })).body).toMatchObject({ firstName: 'Ada', role: 700 });
  });

  test('shows no token when a session is printed', async () => {
    const session = await app.signIn(await app.createUser());
    const shown = inspect({ session }, { depth: 9, showHidden: true, getters: true });
    for (const token of [session.access, session.refresh]) expect(shown).not.toContain(token.split('.')[2]);
  });
});

describe('an app started for a test accepts the options of production:', () => {
  test.each([
    ['production', { development: false }, '__Host-refresh_token='],
    ['a cookie name', { refreshTokenCookieName: 'sid' }, 'sid='],
  ])('settings of %s, and signs in with the cookie of that name', async (_title, settings, beginning) => {
    const app = await start({ settings });
    onTestFinished(() => app.close());
    const { cookie } = await app.signIn(await app.createUser());
    expect(cookie.slice(0, beginning.length)).toBe(beginning);
    expect((await refresh(app, cookie)).status).toBe(200);
  });

  test('settings with refresh tokens in bodies', async () => {
    const app = await start({ settings: { refreshTokenAsCookie: false } });
    onTestFinished(() => app.close());
    const { refresh: token } = await app.signIn(await app.createUser());
    const answer = await call(`${app.url}/auth/refresh`, { method: 'POST', body: { refresh: token } });
    expect([answer.status, Object.keys(answer.body)]).toEqual([200, ['access', 'refresh']]);
  });

  test('its own services, a prefix, its Express app, and its way to create the tables', async () => {
    class PlainHasher extends PasswordHasher {
      override async hash(password: string) {
        return `plain ${password}`;
      }
      override async verify(hash: string | null | undefined, password: string) {
        return hash === `plain ${password}`;
      }
    }
    const prepared: string[] = [];
    const own = express().get('/own', (_request, response) => void response.json({ own: true }));
    const app = await start({
      services: [PlainHasher],
      prefix: '/account',
      express: own,
      prepare: async (orm) => {
        prepared.push(await orm.schema.getCreateSchemaSQL());
        await orm.schema.create();
      },
    });
    onTestFinished(() => app.close());
    expect(prepared).toEqual([expect.stringContaining('create table "writer"')]);
    expect((await call(`${app.url}/own`)).body).toEqual({ own: true });
    await app.createUser({ email: 'plain@example.com', password: 'the engine' });
    const body = { email: 'plain@example.com', password: 'the engine' };
    expect((await call(`${app.url}/account/login`, { method: 'POST', body })).status).toBe(200);
  });

  test('its ORM options, but not their database', async () => {
    const database = await createTestDatabase(inject('databaseUrl'));
    const app = await start({
      database,
      orm: {
        entities: [Writer, ...createAuthEntities({ user: () => Writer })],
        host: 'db.example.com',
        port: 1,
        user: 'owner',
        password: 'of production',
        dbName: 'production',
        clientUrl: 'postgresql://owner@db.example.com/production',
        driverOptions: {
          application_name: 'orders',
          database: 'production',
          connectionString: 'postgresql://production',
        },
      },
    });
    onTestFinished(() => app.close());
    const [row] = await app.orm.em
      .fork()
      .execute(`select current_database() as db, current_setting('application_name') as name`);
    expect(row).toEqual({ db: new URL(database.url).pathname.slice(1), name: 'orders' });
  });
});

test('an app started for a test uses a Unix socket if the URL of its database names one', async () => {
  const { url, drop } = await createTestDatabase(inject('nearDatabaseUrl'));
  const app = await start({ database: { url, drop } });
  onTestFinished(() => app.close());
  const [row] = await app.orm.em.fork().execute('select inet_server_addr() is null as "isLocal"');
  expect(row).toEqual({ isLocal: new URL(url).hostname.startsWith('%2F') });
});

test('ORM options with driver options of another kind are refused', async () => {
  const starting = start({ orm: { driverOptions: new (class Dialect {})() } });
  await expect(starting).rejects.toThrow('orm.driverOptions must be a plain object');
});

describe('an app started for a test ends', () => {
  test('with its database, and only once', async () => {
    const database = await createTestDatabase(inject('databaseUrl'));
    const app = await start({ database });
    expect(await databaseExists(database.url)).toBe(true);
    await app.close();
    await app.close();
    expect(await databaseExists(database.url)).toBe(false);
    expect(await app.orm.isConnected()).toBe(false);
    await expect(fetch(app.url)).rejects.toThrow('fetch failed');
  });

  test('as far as possible if a part of it cannot', async () => {
    const database = await createTestDatabase(inject('databaseUrl'));
    const app = await start({ database });
    const closeOrm = app.orm.close.bind(app.orm);
    app.orm.close = () => closeOrm(true).then(() => Promise.reject(new Error('busy')));
    await expect(app.close()).rejects.toThrow('busy');
    await expect(fetch(app.url)).rejects.toThrow('fetch failed');
    expect(await databaseExists(database.url)).toBe(false);
  });

  test.each<[string, Partial<TestAppOptions<Writer>>, object]>([
    ['a setting is wrong', { settings: { accessTokenLifetime: 'soon' } }, { code: 'invalid_settings' }],
    ['the tables cannot be made', { prepare: () => Promise.reject(new Error('no tables')) }, { message: 'no tables' }],
    [
      'a controller is refused',
      { server: { controllers: [class Bare extends NoteController {}] } },
      { code: 'controller_refused' },
    ],
  ])('at once where %s', async (_title, options, error) => {
    const database = await createTestDatabase(inject('databaseUrl'));
    await expect(start({ ...options, database })).rejects.toMatchObject(error);
    expect(await databaseExists(database.url)).toBe(false);
  });
});

describe('the clock of tests', () => {
  test('starts at the current second, and stands still until it is moved', () => {
    const before = Math.floor(Date.now() / 1000) * 1000;
    const clock = new TestClock();
    const now = clock.now();
    expect(now % 1000).toBe(0);
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(Date.now());
    clock.advance(90);
    expect(clock.now()).toBe(now + 90_000);
    clock.advance('14d');
    expect(clock.now()).toBe(now + 90_000 + 14 * 86_400_000);
    clock.set(new Date('2030-01-01'));
    expect(clock.now()).toBe(Date.UTC(2030, 0, 1));
  });

  test('refuses to move by an invalid duration', () => {
    const clock = new TestClock();
    const now = clock.now();
    for (const by of ['soon', '5', '', Number.NaN, Infinity]) expect(() => clock.advance(by)).toThrow(TypeError);
    expect(() => clock.set(new Date('soon'))).toThrow(TypeError);
    expect(clock.now()).toBe(now);
  });
});
