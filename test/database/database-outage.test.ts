import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startPostgres } from '../../src/testing/index.js';
import { createOutageController, createVisitor, requestsTo, type Visitor } from '../support/outage-app.js';
import { claimsOf, sessionOf } from '../support/race.js';
import { type Door, TcpProxy } from '../support/tcp-proxy.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { waitForBlocked } from '../support/test-database.js';
import { connectionsInUse, expectUnavailable, watchProcess } from '../support/unavailable.js';

let proxy: TcpProxy;
let app: TestApp;
const watch = watchProcess();

beforeAll(async () => {
  proxy = await TcpProxy.start();
  app = await createTestApp({
    databaseUrl: (direct) => proxy.urlOf(direct),
    controllers: [createOutageController(() => app.orm)],
    orm: { driverOptions: { max: 4, connectionTimeoutMillis: 500, options: '-c deadlock_timeout=10ms' } },
  });
});

afterAll(async () => {
  expect(await connectionsInUse(app)).toBe(0); // a connection that is never released would keep the pool from closing
  await app.close();
  await proxy.close();
  expect(await watch.end()).toEqual([]);
  expect(JSON.stringify(app.log)).not.toMatch(/argon2|@example|insert into|update "/);
});

const requestNames = Object.keys(requestsTo(undefined as never));

/** Sends one of the requests by its name. */
const send = (name: string, visitor: Visitor) =>
  requestsTo(app)[name]?.[0](visitor) as ReturnType<typeof visitor.client.get>;

/** Sends every request, and asserts that each one succeeds. */
async function expectAllServed(visitor: Visitor): Promise<void> {
  for (const [name, [request, success]] of Object.entries(requestsTo(app))) {
    expect([name, (await request(visitor)).status]).toEqual([name, success]);
  }
}

/** Makes the app's pool forget its connections. */
async function reconnect(visitor: Visitor): Promise<void> {
  await proxy.setDoor('closed');
  expectUnavailable(await visitor.client.get('/app/query'));
  await proxy.setDoor('open');
}

describe('while the database', () => {
  test.each<[string, Door]>([
    ['refuses connections', 'closed'],
    ['hangs up on every connection', 'slammed'],
    ['never answers a connection', 'silent'],
  ])('%s, every request that needs it gets 503, and succeeds afterwards', async (_what, door) => {
    const visitor = await createVisitor(app);
    const rows = await app.sessions();
    await proxy.setDoor(door);
    const answers = await Promise.all(requestNames.map(async (name) => ({ name, answer: await send(name, visitor) })));
    for (const { name, answer } of answers) expectUnavailable(answer, name);

    const stateless = await visitor.client.get('/app/stateless');
    expect([stateless.status, stateless.body]).toEqual([200, { id: claimsOf(visitor.client.access).sub }]);
    const forged = app.client();
    forged.refreshToken = `${visitor.client.refreshToken.slice(0, -8)}AAAAAAAA`;
    const refused = await forged.refresh();
    expect([refused.status, refused.body.code]).toEqual([401, 'token_not_valid']);
    const invalid = await app.client().register('no address');
    expect([invalid.status, invalid.body.code]).toEqual([400, 'validation_failed']);

    await proxy.setDoor('open');
    expect(await app.sessions()).toEqual(rows);
    await expectAllServed(visitor);
  });

  test('accepts no connections, every request that needs it gets 503, and succeeds afterwards', async () => {
    const visitor = await createVisitor(app);
    const name = new URL(app.database.url).pathname.slice(1);
    const maintenance = Object.assign(new URL(app.database.url), { pathname: '/postgres' });
    const operator = new pg.Client({ connectionString: maintenance.href });
    await operator.connect();
    onTestFinished(() => operator.end());
    await operator.query(`alter database ${name} allow_connections false`);
    proxy.cut();
    for (const request of requestNames) expectUnavailable(await send(request, visitor), request);
    await operator.query(`alter database ${name} allow_connections true`);
    await expectAllServed(visitor);
  });

  test('is a standby, requests that write get 503 and requests that read succeed', async () => {
    const visitor = await createVisitor(app);
    const operator = await app.database.pool.connect();
    const { rows } = await operator.query('select current_database() as name');
    await operator.query(`alter database ${rows[0].name} set default_transaction_read_only = on`);
    await reconnect(visitor);
    for (const name of ['registration', 'login', 'refresh', 'PATCH user', 'password change', 'logout-all', 'logout']) {
      expectUnavailable(await send(name, visitor), name);
    }
    for (const name of ['GET user', '@LoadUser', 'query of the app']) {
      expect([name, (await send(name, visitor)).status]).toEqual([name, 200]);
    }
    await operator.query(`alter database ${rows[0].name} reset default_transaction_read_only`);
    operator.release();
    await reconnect(visitor);
    await expectAllServed(visitor);
  });
});

describe('a request that waits for a row', () => {
  /** Holds the visitor's rows while the request `name` waits for them, does `interrupt`, and returns the answer. */
  async function interrupted(name: string, visitor: Visitor, interrupt: string) {
    const holder = await app.database.pool.connect();
    const { sub } = claimsOf(visitor.client.access);
    await holder.query('begin');
    await holder.query('select 1 from app_user where id = $1 for update', [sub]);
    await holder.query('select 1 from auth_session where user_id = $1 for update', [sub]);
    const answering = send(name, visitor);
    await Promise.race([waitForBlocked(app.database.pool, 1), answering]);
    await app.database.pool.query(
      `select ${interrupt}(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    const answer = await answering;
    await holder.query('rollback');
    holder.release();
    return answer;
  }

  test.each([
    ['refresh', 'cancelled', 'pg_cancel_backend'],
    ['refresh', 'shut down', 'pg_terminate_backend'],
    ['login', 'cancelled', 'pg_cancel_backend'],
    ['login', 'shut down', 'pg_terminate_backend'],
    ['password change', 'cancelled', 'pg_cancel_backend'],
    ['password change', 'shut down', 'pg_terminate_backend'],
    ['logout-all', 'shut down', 'pg_terminate_backend'],
    ['logout', 'cancelled', 'pg_cancel_backend'],
  ])('(%s) and is %s by an administrator changes nothing, and works when sent again', async (name, _how, interrupt) => {
    const visitor = await createVisitor(app);
    const rows = await app.sessions();
    expectUnavailable(await interrupted(name, visitor, interrupt));
    expect(await app.sessions()).toEqual(rows);
    await expectAllServed(visitor);
  });

  test('in a deadlock gets 503, changes nothing, and works when sent again', async () => {
    const visitor = await createVisitor(app);
    const { sub } = claimsOf(visitor.client.access);
    const holder = await app.database.pool.connect();
    await holder.query(`set deadlock_timeout = '1h'`); // so that PostgreSQL aborts the other side
    await holder.query('begin');
    await holder.query('select 1 from auth_session where user_id = $1 for update', [sub]);
    const userLocked = proxy.fail('stalled', 'for no key update');
    const answering = visitor.client.logoutAll();
    await userLocked;
    const locking = holder.query('select 1 from app_user where id = $1 for update', [sub]);
    await waitForBlocked(app.database.pool, 1);
    proxy.resume();
    expectUnavailable(await answering);
    await locking;
    await holder.query('rollback');
    await holder.query('reset deadlock_timeout');
    holder.release();
    const { session } = claimsOf(visitor.client.access);
    expect(await app.sessions()).toContainEqual(expect.objectContaining({ id: session, enabled: true }));
    await expectAllServed(visitor);
  });
});

describe('the pool', () => {
  test('answers requests with 503 after a bounded wait when it is exhausted, and the tokens still work', async () => {
    const visitor = await createVisitor(app);
    const pool: pg.Pool = (await app.orm.em.getConnection().getNativeClient()) as never;
    const held = await Promise.all(Array.from({ length: 4 }, () => pool.connect()));
    const answers = await Promise.all(requestNames.map(async (name) => ({ name, answer: await send(name, visitor) })));
    for (const { name, answer } of answers) expectUnavailable(answer, name);
    expect((await visitor.client.get('/app/stateless')).status).toBe(200);
    expect(pool.waitingCount).toBe(0);
    for (const client of held) client.release();
    await expectAllServed(visitor);
  });

  test.each([
    ['registration', 'start transaction'],
    ['registration', 'commit\0'],
    ['registration', 'insert into "app_user"'],
    ['PATCH user', 'commit\0'],
    ['logout-all', 'for no key update'],
  ])('gets every connection back when one is cut during %s, at %s', async (name, statement) => {
    const visitor = await createVisitor(app);
    for (let times = 0; times < 5; times++) {
      void proxy.fail('lost before', statement);
      expectUnavailable(await send(name, visitor));
      expect(proxy.disarm()).toBe(0);
    }
    expect(await connectionsInUse(app)).toBe(0);
    await expectAllServed(visitor);
  });

  test('serves every request with one connection: no request needs two at once', async () => {
    const small: TestApp = await createTestApp({
      controllers: [createOutageController(() => small.orm)],
      orm: { driverOptions: { max: 1, connectionTimeoutMillis: 2000 } },
    });
    const visitor = await createVisitor(small);
    const thief = visitor.client.copy();
    const answers = [];
    for (const [name, [request]] of Object.entries(requestsTo(small)))
      answers.push([name, (await request(visitor)).status]);
    const replay = await createVisitor(small);
    expect(answers).toEqual(Object.entries(requestsTo(small)).map(([name, [, success]]) => [name, success]));
    const old = replay.client.copy();
    await replay.client.refresh();
    await replay.client.refresh();
    expect((await old.refresh()).body.code).toBe('refresh_token_reused');
    expect((await thief.refresh()).body.code).toBe('token_not_valid');
    await small.close();
  });

  test('has a limit on the wait for a connection, unless the app has set one', async () => {
    const unbounded = await createTestApp();
    const boundOf = async (of: TestApp) => {
      const { options } = (await of.orm.em.getConnection().getNativeClient()) as { options: pg.PoolConfig };
      return options.connectionTimeoutMillis;
    };
    expect(await boundOf(unbounded)).toBe(5000);
    expect(await boundOf(app)).toBe(500);
    await unbounded.close();
  });
});

test('a session outlives a restart of the database', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-restart-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  let server = await startPostgres(directory, { fsync: 'off' });
  onTestFinished(() => server.stop());
  const own = await TcpProxy.start();
  onTestFinished(() => own.close());
  const url = own.urlOf(server.url);
  const pool = new pg.Pool({ connectionString: url });
  pool.on('error', () => {});
  onTestFinished(() => pool.end());
  const restarted = await createTestApp({ database: { url, appUrl: url, pool, drop: async () => {} } });
  await restarted.orm.schema.create();
  const { client, email } = await createVisitor(restarted);
  const presented = client.refreshToken;

  await server.stop();
  restarted.clock.advance(1);
  expectUnavailable(await client.refresh());
  expectUnavailable(await restarted.client().login(email));
  expectUnavailable(await client.get('/auth/user'));
  server = await startPostgres(directory, { fsync: 'off' });
  own.urlOf(server.url);

  expect(client.refreshToken).toBe(presented);
  expect((await client.refresh()).status).toBe(200);
  expect((await client.get('/auth/user')).status).toBe(200);
  expect((await restarted.client().login(email)).status).toBe(200);
  expect(await restarted.sessions()).toEqual([
    expect.objectContaining({ id: sessionOf(client), previous_jti: claimsOf(presented).jti, enabled: true }),
    expect.objectContaining({ previous_jti: null, enabled: true }),
  ]);
  await restarted.close();
});
