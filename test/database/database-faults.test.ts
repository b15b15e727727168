import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { claimsOf, createOwner, sessionOf } from '../support/race.js';
import { type Fault, TcpProxy } from '../support/tcp-proxy.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { type Answer, PASSWORD, type TestClient } from '../support/test-client.js';
import { connectionsInUse, expectUnavailable, watchProcess } from '../support/unavailable.js';

/** A part of one statement each, by which the proxy recognises it. */
const ROTATE = 'set "jti"';
const FIND = '"session:jti"';
const REVOKE = 'set "enabled" = false';
const OPEN = 'for share';
const FIND_USER = 'as "passwordHash"';
const NEW_PASSWORD = 'a sentence of another length';

let proxy: TcpProxy;
let app: TestApp;
const watch = watchProcess();
let count = 0;

beforeAll(async () => {
  proxy = await TcpProxy.start();
  app = await createTestApp({
    databaseUrl: (direct) => proxy.urlOf(direct),
    settings: { loginRateLimit: '1/15m/account+ip' },
    // With a hook on connections nothing is prepared, so that the proxy finds each statement by its text.
    orm: { driverOptions: { connectionTimeoutMillis: 1000 }, onReserveConnection: async () => {} },
  });
});

afterAll(async () => {
  expect(await connectionsInUse(app)).toBe(0); // a connection that is never released would keep the pool from closing
  await app.close();
  await proxy.close();
  expect(await watch.end()).toEqual([]);
  expect(JSON.stringify(app.log)).not.toMatch(/argon2|@example|insert into|update "/);
});

/** Fails one statement of a request, and asserts that the statement was sent and what the client gets. */
async function expectFault(fault: Fault, statement: string, request: () => Promise<Answer>): Promise<void> {
  void proxy.fail(fault, statement);
  const answer = await request();
  expect(proxy.disarm()).toBe(0);
  expectUnavailable(answer);
}

const newEmail = () => `fault${++count}@example.com`;

/** The sessions of the user of a client, oldest first. */
async function rowsOf({ access }: TestClient) {
  const { sub } = claimsOf(access);
  return (await app.sessions()).filter(({ user_id }) => user_id === sub);
}

const liveOf = async (client: TestClient) => (await rowsOf(client)).filter(({ enabled }) => enabled).length;

/** Whether there is a user of this address, and which sessions it has. */
async function stateOf(email: string) {
  const { rows: users } = await app.database.pool.query('select id from app_user where email = $1', [email]);
  const sessions = (await app.sessions()).filter(({ user_id }) => user_id === users[0]?.id);
  return { users: users.length, sessions: sessions.map(({ enabled }) => enabled) };
}

describe('a rotation', () => {
  test('that never reached the server leaves the presented token live', async () => {
    const { client } = await createOwner(app);
    const { jti } = claimsOf(client.refreshToken);
    app.log.length = 0;
    await expectFault('lost before', ROTATE, () => client.refresh());
    expect(app.log).toEqual([
      expect.objectContaining({ level: 'error', code: 'service_unavailable', message: 'request failed' }),
    ]);
    expect(await rowsOf(client)).toEqual([expect.objectContaining({ jti, previous_jti: null, enabled: true })]);
    expect((await client.refresh()).status).toBe(200);
    expect(await rowsOf(client)).toEqual([
      expect.objectContaining({ jti: claimsOf(client.refreshToken).jti, previous_jti: jti, enabled: true }),
    ]);
  });

  test.each<Fault>(['lost after', 'lost inside'])(
    'is completed by a retry after the fault "%s": the client gets the same successor',
    async (fault) => {
      const { client } = await createOwner(app);
      const presented = claimsOf(client.refreshToken).jti;
      await expectFault(fault, ROTATE, () => client.refresh());
      const [row] = await rowsOf(client);
      expect(row).toMatchObject({ previous_jti: presented, enabled: true });

      app.events.length = 0;
      expect((await client.refresh()).status).toBe(200);
      expect(claimsOf(client.refreshToken).jti).toBe(row?.jti);
      expect(await rowsOf(client)).toEqual([row]);
      expect(app.events).toEqual([expect.objectContaining({ reuse: 'lost-response', session: row?.id })]);
      expect((await client.refresh()).status).toBe(200);
      expect(await liveOf(client)).toBe(1);
    },
  );

  test('whose answer is lost while a second tab retries still produces one successor', async () => {
    const { client } = await createOwner(app);
    const tab = client.copy();
    const struck = proxy.fail('stalled', ROTATE);
    const losing = client.refresh();
    await struck;
    expect((await tab.refresh()).status).toBe(200);
    proxy.cut();
    expectUnavailable(await losing);
    expect((await client.refresh()).status).toBe(200);
    expect(claimsOf(client.refreshToken).jti).toBe(claimsOf(tab.refreshToken).jti);
    expect(await rowsOf(client)).toEqual([expect.objectContaining({ jti: claimsOf(tab.refreshToken).jti })]);
    expect(await liveOf(client)).toBe(1);
  });

  test.each<Fault>(['lost before', 'lost after', 'lost inside'])(
    'that is retried within the grace revokes nothing if reading its row fails with the fault "%s"',
    async (fault) => {
      const { client } = await createOwner(app);
      const retry = client.copy();
      await client.refresh();
      await expectFault(fault, FIND, () => retry.refresh());
      expect((await retry.refresh()).status).toBe(200);
      expect(claimsOf(retry.refreshToken).jti).toBe(claimsOf(client.refreshToken).jti);
      expect(await liveOf(client)).toBe(1);
    },
  );
});

describe('a detected replay', () => {
  /** A client of a live session, and a thief with the grandparent of its token. */
  async function stolen() {
    const { client } = await createOwner(app);
    const thief = client.copy();
    await client.refresh();
    await client.refresh();
    app.events.length = 0;
    return { client, thief };
  }

  test.each<Fault>(['lost after', 'lost inside'])(
    'ends the session despite the fault "%s" at its revocation: no token of the session works',
    async (fault) => {
      const { client, thief } = await stolen();
      await expectFault(fault, REVOKE, () => thief.refresh());
      expect(await liveOf(client)).toBe(0);
      for (const holder of [client, thief]) {
        const answer = await holder.refresh();
        expect([answer.status, answer.body.code]).toEqual([401, 'token_not_valid']);
      }
      expect(await rowsOf(client)).toHaveLength(1);
    },
  );

  test('is reported even if the answer to its revocation was lost', async () => {
    const { client, thief } = await stolen();
    await expectFault('lost after', REVOKE, () => thief.refresh());
    const session = sessionOf(client);
    expect(app.events).toEqual([expect.objectContaining({ reuse: 'replay', session })]);
    expect(app.log).toContainEqual(expect.objectContaining({ level: 'warn', reuse: 'replay', session }));
  });

  test('whose revocation never reached the server is detected again, and revoked, at the next try', async () => {
    const { client, thief } = await stolen();
    await expectFault('lost before', REVOKE, () => thief.refresh());
    expect(await liveOf(client)).toBe(1);
    const answer = await thief.refresh();
    expect([answer.status, answer.body.code]).toEqual([401, 'refresh_token_reused']);
    expect(await liveOf(client)).toBe(0);
  });
});

describe('a registration', () => {
  test.each<[Fault, string]>([
    ['lost before', 'start transaction'],
    ['lost after', 'start transaction'],
    ['lost before', 'insert into "app_user"'],
    ['lost after', 'insert into "app_user"'],
    ['lost inside', 'insert into "app_user"'],
    ['lost before', OPEN],
    ['lost after', OPEN],
    ['lost inside', OPEN],
    ['lost before', 'commit\0'],
  ])(
    'with the fault "%s" at "%s" leaves neither a user nor a session, and works when sent again',
    async (fault, statement) => {
      const email = newEmail();
      await expectFault(fault, statement, () => app.client().register(email));
      expect(await stateOf(email)).toEqual({ users: 0, sessions: [] });
      expect((await app.client().register(email)).status).toBe(201);
      expect(await stateOf(email)).toEqual({ users: 1, sessions: [true] });
    },
  );

  test.each<Fault>(['lost after', 'lost inside'])(
    'with the fault "%s" at its commit has created both the user and the session: signing in works',
    async (fault) => {
      const email = newEmail();
      await expectFault(fault, 'commit\0', () => app.client().register(email));
      expect(await stateOf(email)).toEqual({ users: 1, sessions: [true] });
      const again = await app.client().register(email);
      expect([again.status, again.body.code]).toEqual([409, 'email_already_registered']);
      expect((await app.client().login(email)).status).toBe(200);
    },
  );
});

describe('a login', () => {
  test.each<[Fault, string, number]>([
    ['lost before', FIND_USER, 0],
    ['lost after', FIND_USER, 0],
    ['lost before', OPEN, 0],
    ['lost after', OPEN, 1],
    ['lost inside', OPEN, 1],
  ])(
    'with the fault "%s" at "%s" opens a session completely or not at all, and does not count as a failed attempt',
    async (fault, statement, opened) => {
      const email = newEmail();
      const client = app.client();
      await client.register(email);
      const before = client.refreshToken;
      await expectFault(fault, statement, () => client.login(email));
      expect(await rowsOf(client)).toHaveLength(1 + opened);
      expect(client.refreshToken).toBe(before);
      expect((await client.refresh()).status).toBe(200);
      expect((await client.login(email)).status).toBe(200); // the limit is one failure
      expect(await liveOf(client)).toBe(2 + opened);
    },
  );
});

describe('a password change', () => {
  const change = (client: TestClient) => client.changePassword(PASSWORD, NEW_PASSWORD);
  const outcome = async (email: string, password: string) => (await app.client().login(email, password)).status;

  test.each<[Fault, string]>([
    ['lost before', 'start transaction'],
    ['lost before', 'set "password_hash"'],
    ['lost after', 'set "password_hash"'],
    ['lost after', 'for update'],
    ['lost after', REVOKE],
    ['lost before', OPEN],
    ['lost after', OPEN],
    ['lost before', 'commit\0'],
  ])('with the fault "%s" at "%s" changes nothing', async (fault, statement) => {
    const email = newEmail();
    const client = app.client();
    await client.register(email);
    const rows = await rowsOf(client);
    await expectFault(fault, statement, () => change(client));
    expect(await rowsOf(client)).toEqual(rows);
    expect(await outcome(email, PASSWORD)).toBe(200);
    expect(await outcome(email, NEW_PASSWORD)).toBe(401);
    expect((await client.refresh()).status).toBe(200);
  });

  test.each<Fault>(['lost after', 'lost inside'])(
    'with the fault "%s" at its commit changes everything',
    async (fault) => {
      const email = newEmail();
      const client = app.client();
      await client.register(email);
      await expectFault(fault, 'commit\0', () => change(client));
      expect((await rowsOf(client)).map(({ enabled }) => enabled).sort()).toEqual([false, true]);
      const answer = await client.refresh();
      expect([answer.status, answer.body.code]).toEqual([401, 'token_not_valid']);
      expect(await outcome(email, NEW_PASSWORD)).toBe(200);
      expect(await outcome(email, PASSWORD)).toBe(401);
      expect(await liveOf(client)).toBe(2);
    },
  );
});

describe('a logout', () => {
  test.each<[Fault, string, 'logout' | 'logoutAll', number]>([
    ['lost before', REVOKE, 'logout', 1],
    ['lost after', REVOKE, 'logout', 0],
    ['lost before', 'for no key update', 'logoutAll', 1],
    ['lost before', REVOKE, 'logoutAll', 1],
    ['lost after', REVOKE, 'logoutAll', 1],
    ['lost before', 'commit\0', 'logoutAll', 1],
    ['lost after', 'commit\0', 'logoutAll', 0],
  ])(
    'with the fault "%s" at "%s" (%s) leaves the cookie, and is completed when sent again',
    async (fault, statement, how, live) => {
      const { client } = await createOwner(app);
      await expectFault(fault, statement, () => client[how]());
      expect(await liveOf(client)).toBe(live);
      // Signing out everywhere needs a live session, which the first request may have ended.
      expect((await client[how]()).status).toBe(how === 'logoutAll' && live === 0 ? 401 : 204);
      expect(await liveOf(client)).toBe(0);
    },
  );
});
