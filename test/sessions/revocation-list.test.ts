import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Authorized, CurrentUser, Get, JsonController } from 'routing-controllers';
import { Service } from 'typedi';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  type BaseUser,
  Clock,
  type ForUserOptions,
  type Principal,
  RefreshToken,
  SessionCheck,
  type SettingsInput,
} from '../../src/index.js';
import { RevocationList } from '../../src/sessions/revocation-list.js';
import { expectProblemDetails } from '../support/problem-details.js';
import { countQueries } from '../support/query-count.js';
import { claimsOf, createOwner, type Owner, sessionOf } from '../support/race.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/test-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';
import { expectUnavailable } from '../support/unavailable.js';
import { until } from '../support/until.js';

@Service()
@JsonController('/app')
class AppController {
  @Authorized()
  @Get('/default')
  byDefault(@CurrentUser() user: Principal) {
    return { id: user.id };
  }

  @Authorized()
  @SessionCheck('none')
  @Get('/none')
  none() {
    return {};
  }

  @Authorized()
  @SessionCheck('database')
  @Get('/database')
  database() {
    return {};
  }

  @Authorized()
  @SessionCheck('revocation-list')
  @Get('/list')
  list(@CurrentUser() user: Principal) {
    return { id: user.id };
  }
}

@Service()
@SessionCheck('database')
@JsonController('/checked')
class CheckedController {
  @Authorized()
  @Get('/class')
  byClass() {
    return {};
  }

  @Authorized()
  @SessionCheck('none')
  @Get('/own')
  byMethod() {
    return {};
  }
}

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const opened of open.splice(0).reverse()) await opened.close();
});

async function appWith(settings: SettingsInput, options: TestAppOptions = {}): Promise<TestApp> {
  const controllers = [AppController, CheckedController];
  const app = await createTestApp({ controllers, ...options, settings });
  open.push(app);
  return app;
}

/** While the list is not current every token is accepted, so that only the list can refuse one. */
const LIST = { accessTokenSessionCheck: 'revocation-list', revocationListFallback: 'fail-open' } as const;
const ASKS_DATABASE = { ...LIST, revocationListFallback: 'database' } as const;
const isRefused = async (client: TestClient) => (await client.get('/app/default')).status === 401;
const isCurrent = ({ log }: TestApp) =>
  log.findLast(({ message }) => /revocation list is/.test(message))?.message === 'the revocation list is current';

/** Two servers of one app. */
async function twoServers(settings: SettingsInput = LIST, options: TestAppOptions = {}) {
  const here = await appWith(settings);
  const there = await appWith(settings, { database: here.database, ...options });
  return { here, there };
}

/** The same client, connected to another server. */
const at = (server: TestApp, { access }: TestClient) => Object.assign(server.client(), { access });

describe('the check of an access token’s session', () => {
  test.each([
    ['none', 200],
    ['database', 401],
    ['revocation-list', 401],
  ] as const)('%s: after a logout a request with the access token gets %d', async (accessTokenSessionCheck, status) => {
    const app = await appWith({ ...LIST, accessTokenSessionCheck });
    const { client, another } = await createOwner(app);
    const other = await another();
    await client.logout();
    if (accessTokenSessionCheck === 'revocation-list') await until(() => isRefused(client));
    const answer = await client.get('/app/default');
    expect(answer.status).toBe(status);
    if (status === 401) expectProblemDetails(answer, 401, 'token_not_valid');
    expect((await other.get('/app/default')).status).toBe(200);
  });

  test('the list needs no query, the database check needs one', async () => {
    const app = await appWith(LIST);
    const { client } = await createOwner(app);
    const ofList = await countQueries(app.orm, async () => {
      for (let n = 0; n < 5; n++) await client.get('/app/default');
    });
    expect(ofList.filter((text) => !/pg_current_snapshot|select 1$|pg_notify/.test(text))).toEqual([]);
    const ofDatabase = await countQueries(app.orm, () => client.get('/app/database'));
    expect(ofDatabase.filter((text) => /auth_session/.test(text))).toHaveLength(1);
  });

  test('an access token that took long to create does not live longer, so that the list still knows its session', async () => {
    let isSlow = false;
    class SlowToken extends RefreshToken {
      static override async forUser(user: BaseUser, options?: ForUserOptions) {
        if (isSlow) app.clock.advance(120);
        return super.forUser(user, options);
      }
    }
    const app = await appWith({ ...LIST, accessTokenLifetime: '5m', refreshToken: SlowToken });
    const { client } = await createOwner(app);
    isSlow = true;
    const asked = app.clock.now() / 1000;
    await client.refresh();
    expect(claimsOf(client.access)).toMatchObject({ iat: asked, exp: asked + 300 });
  });

  test('a route can choose another check, and the choice of an action takes precedence over that of its controller', async () => {
    const app = await appWith({ ...LIST, accessTokenSessionCheck: 'database' });
    const { client } = await createOwner(app);
    await client.logout();
    const statusOf = async (path: string) => (await client.get(path)).status;
    expect(await statusOf('/app/none')).toBe(200);
    expect(await statusOf('/app/database')).toBe(401);
    expect(await statusOf('/checked/class')).toBe(401);
    expect(await statusOf('/checked/own')).toBe(200);
    await until(async () => (await statusOf('/app/list')) === 401);
  });

  test('a route that chooses the list gets it even if the app does not use it', async () => {
    const app = await appWith({ ...LIST, accessTokenSessionCheck: 'none' });
    const { client } = await createOwner(app);
    await until(() => isCurrent(app));
    expect((await client.get('/app/list')).body).toEqual({ id: expect.any(String) });
    expect((await app.client().get('/app/list')).status).toBe(401);
    await client.logout();
    await until(async () => (await client.get('/app/list')).status === 401);
    expect((await client.get('/app/default')).status).toBe(200);
  });

  test('an access token from before a reduction of ACCESS_TOKEN_LIFETIME expires by the new lifetime', async () => {
    const { here, there } = await twoServers({ accessTokenLifetime: '1h' });
    const shorter = await appWith({ accessTokenLifetime: '5m' }, { database: there.database });
    const { client } = await createOwner(here);
    const now = (server: TestApp) => at(server, client).get('/app/default');
    expect((await now(shorter)).status).toBe(200);
    for (const server of [here, shorter]) server.clock.advance(300);
    expect((await now(here)).status).toBe(200);
    expectProblemDetails(await now(shorter), 401, 'token_not_valid');
    const fresh = await createOwner(shorter);
    expect((await at(shorter, fresh.client).get('/app/default')).status).toBe(200);
  });

  test('a value other than the three is refused at the decorator', () => {
    expect(() => SessionCheck('toString' as never)).toThrow('@SessionCheck accepts none, revocation-list or database');
  });
});

describe('every way in which a session ends applies to the access tokens on another server', () => {
  const ways: Record<string, (app: TestApp, owner: Owner, victim: TestClient) => Promise<unknown>> = {
    logout: (_app, _owner, victim) => victim.logout(),
    'logout-all': (_app, { client }) => client.logoutAll(),
    'a session ended from another': (_app, { client }, victim) =>
      client.send('DELETE', `/auth/sessions/${sessionOf(victim)}`, undefined, client.bearer),
    'revoke-others': (_app, { client }) =>
      client.send('POST', '/auth/sessions/revoke-others', undefined, client.bearer),
    'a replay': async (app, _owner, victim) => {
      const thief = victim.copy();
      await victim.refresh();
      app.clock.advance(11);
      await thief.refresh();
    },
    deactivation: (app, { id }) => app.auth.deactivation.deactivate(id),
    'a refresh after the user was set inactive': async (app, { id, client }) => {
      await app.database.pool.query('update app_user set is_active = false where id = $1', [id]);
      await client.refresh();
    },
    'the session cap': async (app, { another }) => {
      for (let n = 0; n < 3; n++) {
        app.clock.advance(1);
        await another();
      }
    },
    'the app': (app, { id }) => app.auth.sessions.revokeAll(id),
    'the app, one session': (app, { id }, victim) => app.auth.sessions.revoke({ session: sessionOf(victim), sub: id }),
    'a purge after the session has expired': async (app, _owner, victim) => {
      await app.database.pool.query('update auth_session set expires_at = $1 where id = $2', [
        new Date(app.clock.now()),
        sessionOf(victim),
      ]);
      expect(await app.auth.purge.run()).toMatchObject({ sessions: 1 });
    },
  };

  test.each(Object.entries(ways))('%s', async (_name, end) => {
    const { here, there } = await twoServers({ ...LIST, maxSessionsPerUser: 3 });
    const stranger = await createOwner(here);
    const owner = await createOwner(here);
    const victim = await owner.another();
    expect((await at(there, victim).get('/app/default')).status).toBe(200);
    await end(here, owner, victim);
    await until(() => isRefused(at(there, victim)));
    await until(() => isRefused(victim));
    expect((await at(there, stranger.client).get('/app/default')).status).toBe(200);
  });

  test('a password change', async () => {
    const { here, there } = await twoServers();
    const client = await here.signedUp('ada@example.com');
    const old = client.copy();
    await client.changePassword(PASSWORD, 'another sentence, as long');
    await until(() => isRefused(at(there, old)));
    expect((await at(there, client).get('/app/default')).status).toBe(200);
  });

  test('a revocation that is rolled back is not sent', async () => {
    const { here, there } = await twoServers();
    const { id, client } = await createOwner(here);
    const sentinel = await createOwner(here);
    const rolledBack = here.orm.em.fork().transactional(async (em) => {
      await here.auth.sessions.revokeAll(id, { em });
      throw new Error('rolled back');
    });
    await expect(rolledBack).rejects.toThrow('rolled back');
    await sentinel.client.logout();
    await until(() => isRefused(at(there, sentinel.client)));
    expect((await at(there, client).get('/app/default')).status).toBe(200);
    expect((await client.refresh()).status).toBe(200);
  });

  test.each(['repeatable read', 'serializable'])(
    'a %s transaction of the app is refused because it could miss a login',
    async (level) => {
      const app = await appWith({});
      const { id, live } = await createOwner(app);
      const ending = app.orm.em.fork().transactional(async (em) => {
        await em.execute(`set transaction isolation level ${level}`);
        await app.auth.sessions.revokeAll(id, { em });
      });
      await expect(ending).rejects.toThrow(`ending sessions needs a read committed transaction; this one is ${level}`);
      expect(await live()).toBe(1);
    },
  );

  test("a database whose default is repeatable read does not affect the library's own transactions", async () => {
    const app = await appWith({});
    await app.database.pool.query(
      `do $$ begin execute 'alter database ' || current_database() || ' set default_transaction_isolation = $q$repeatable read$q$'; end $$`,
    );
    const there = await appWith({}, { database: app.database });
    const { client, live } = await createOwner(there);
    expect((await client.logoutAll()).status).toBe(204);
    expect(await live()).toBe(0);
  });

  test('no revocation is recorded for a session that expired long ago', async () => {
    const app = await appWith(LIST);
    const { id } = await createOwner(app);
    app.clock.advance(14 * 86_400 + 1860);
    expect(await app.auth.sessions.revokeAll(id)).toBe(0);
    expect((await app.database.pool.query('select 1 from auth_revocation')).rows).toEqual([]);
  });
});

describe('a server whose connection is cut', () => {
  async function behindProxy(settings: SettingsInput) {
    const proxy = await TcpProxy.start();
    open.push(proxy);
    const { here, there } = await twoServers(settings, { databaseUrl: (url) => proxy.urlOf(url) });
    return { proxy, here, there };
  }

  test('misses none of 200 revocations during the outage', async () => {
    const { proxy, here, there } = await behindProxy(LIST);
    const owners = await Promise.all(Array.from({ length: 200 }, () => createOwner(here)));
    const survivor = await createOwner(here);
    for (const { client } of owners) expect((await at(there, client).get('/app/default')).status).toBe(200);
    await proxy.setDoor('closed');
    await until(() => !isCurrent(there));
    await Promise.all(owners.map(({ client }) => client.logout()));
    const believed = await Promise.all(owners.map(({ client }) => at(there, client).get('/app/default')));
    expect(believed.every(({ status }) => status === 200)).toBe(true); // fail-open, and no notification arrived
    await proxy.setDoor('open');
    await until(() => isCurrent(there));
    const refused = await Promise.all(owners.map(({ client }) => isRefused(at(there, client))));
    expect(refused).toEqual(Array(200).fill(true));
    expect((await at(there, survivor.client).get('/app/default')).status).toBe(200);
    expect(there.log.filter(({ message }) => /revocation list is/.test(message)).map(({ level }) => level)).toEqual([
      'info',
      'warn',
      'info',
    ]);
  });

  test('asks the database during the outage (the default), if it is reachable', async () => {
    const { proxy, here, there } = await behindProxy(ASKS_DATABASE);
    const { client } = await createOwner(here);
    const { client: other } = await createOwner(here);
    const isHeld = proxy.fail('stalled', 'pg_current_snapshot');
    await isHeld;
    await until(() => !isCurrent(there));
    await client.logout();
    expect(await isRefused(at(there, client))).toBe(true);
    expect((await at(there, other).get('/app/default')).status).toBe(200);
    proxy.resume();
    await until(() => isCurrent(there));
  });

  test('continues with a connection that was silent for a moment, and has all revocations from that time', async () => {
    const { proxy, here, there } = await behindProxy({ ...LIST, revocationListFallback: 'fail-closed' });
    const { client } = await createOwner(here);
    const { client: other } = await createOwner(here);
    await proxy.fail('stalled', 'pg_current_snapshot');
    await client.logout();
    await until(() => !isCurrent(there));
    expectUnavailable(await at(there, other).get('/app/default'));
    proxy.resume();
    await until(() => isCurrent(there));
    expect(await isRefused(at(there, client))).toBe(true);
    expect(there.log.filter(({ level }) => level === 'warn')).toMatchObject([{ state: 'silent' }]);
  });

  test('answers 503 during the outage with fail-closed, and refuses tokens that it knows to be revoked', async () => {
    const { proxy, here, there } = await behindProxy({ ...LIST, revocationListFallback: 'fail-closed' });
    const { client } = await createOwner(here);
    const { client: revoked } = await createOwner(here);
    await revoked.logout();
    await until(() => isRefused(at(there, revoked)));
    await proxy.setDoor('closed');
    await until(() => !isCurrent(there));
    expectUnavailable(await at(there, client).get('/app/default'));
    expectProblemDetails(await at(there, revoked).get('/app/default'), 401, 'token_not_valid');
    expect((await at(there, client).get('/app/none')).status).toBe(200);
    await proxy.setDoor('open');
    await until(() => isCurrent(there));
    expect((await at(there, client).get('/app/default')).status).toBe(200);
  });

  test('does not trust the list if nothing was received for a second, whatever its state was before', async () => {
    const app = await appWith({ ...LIST, revocationListFallback: 'fail-closed' });
    const { client } = await createOwner(app);
    expect((await client.get('/app/default')).status).toBe(200);
    const now = Date.now;
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + 1000); // the process was suspended
    expectUnavailable(await client.get('/app/default'));
    clock.mockRestore();
    await until(async () => (await client.get('/app/default')).status === 200);
  });

  test('replaces a pool connection that became silent while the list loads, and completes', async () => {
    const proxy = await TcpProxy.start();
    open.push(proxy);
    const here = await appWith(LIST);
    const { client } = await createOwner(here);
    await client.logout();
    const url = proxy.urlOf(here.database.url);
    const stalled = proxy.fail('stalled', 'pg_notify');
    const starting = appWith(LIST, { database: here.database, databaseUrl: () => url });
    await stalled;
    const there = await starting;
    await until(() => isCurrent(there));
    expect(await isRefused(at(there, client))).toBe(true);
    proxy.resume();
  });

  test('starts without a database and becomes current when there is one', async () => {
    const here = await appWith(LIST);
    const { client } = await createOwner(here);
    await client.logout();
    const proxy = await TcpProxy.start();
    open.push(proxy);
    const url = proxy.urlOf(here.database.url);
    await proxy.setDoor('closed');
    const there = await appWith(ASKS_DATABASE, { database: here.database, databaseUrl: () => url });
    expectUnavailable(await at(there, client).get('/app/default'));
    await proxy.setDoor('open');
    await until(() => isCurrent(there));
    expect(await isRefused(at(there, client))).toBe(true);
    const pool: { options: object } = await there.orm.em.getConnection().getNativeClient();
    expect(pool.options).toMatchObject({ connectionTimeoutMillis: 5000 });
  });
});

describe('a server that starts', () => {
  test('loads older revocations, page by page', async () => {
    const here = await appWith(LIST);
    const { client } = await createOwner(here);
    await client.logout();
    await here.database.pool.query(
      `insert into auth_revocation select $1, gen_random_uuid() from generate_series(1, 25000)`,
      [new Date(here.clock.now() - 1000)],
    );
    const there = await appWith(LIST, { database: here.database });
    expect(await isRefused(at(there, client))).toBe(true);
    expect(there.log).toContainEqual(
      expect.objectContaining({ message: 'the revocation list is current', revoked: 25_001 }),
    );
  });
});

describe('the list in memory', () => {
  class StoppedClock extends Clock {
    time = 0;
    override now() {
      return this.time;
    }
  }

  test('keeps an entry for its time, and at most a quarter longer', () => {
    const clock = new StoppedClock();
    const list = new RevocationList(1000, clock);
    for (let at = 0; at < 1000; at += 10) list.add(`session ${at}`, at);
    clock.time = 1000;
    list.expire();
    expect(list.size).toBe(100);
    clock.time = 1250;
    list.expire();
    expect([list.has('session 240'), list.has('session 250'), list.size]).toEqual([false, true, 75]);
    clock.time = 2250;
    list.expire();
    expect(list.size).toBe(0);
  });

  test('holds a million sessions in 100 MB', () => {
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    const clock = new StoppedClock();
    collect();
    const before = process.memoryUsage().heapUsed;
    const list = new RevocationList(1_860_000, clock);
    for (let n = 0; n < 1_000_000; n++) list.add(Buffer.from(crypto.randomUUID()).toString('latin1'), n * 1.86);
    collect();
    const megabytes = (process.memoryUsage().heapUsed - before) / 1e6;
    expect(list.size).toBe(1_000_000);
    expect(megabytes).toBeGreaterThan(30);
    expect(megabytes).toBeLessThan(100);
    clock.time = 10_000_000;
    list.expire();
    expect(list.size).toBe(0);
  });
});
