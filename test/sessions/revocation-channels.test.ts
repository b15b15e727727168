import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Database } from '../../src/database/database.js';
import { DedicatedConnection } from '../../src/database/dedicated-connection.js';
import type { SessionRevoked, SettingsInput } from '../../src/index.js';
import { maxAccessTokenAgeMs } from '../../src/sessions/max-access-token-age.js';
import { RevocationChannel } from '../../src/sessions/revocation-channel.js';
import { RevocationReader } from '../../src/sessions/revocation-reader.js';
import { createOwner, sessionOf } from '../support/race.js';
import { secrets } from '../support/secrets.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';
import { expectUnavailable } from '../support/unavailable.js';
import { until } from '../support/until.js';

/** Milliseconds between two reads of a server. */
const READ_MS = 450;

const open: { close(): unknown }[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const opened of open.splice(0).reverse()) await opened.close();
});

async function appWith(options: TestAppOptions = {}): Promise<TestApp> {
  const app = await createTestApp(options);
  open.push(app);
  return app;
}

async function channelOf(app: TestApp, onRevoked: (session: string) => void = () => {}): Promise<RevocationChannel> {
  const channel = await RevocationChannel.open(new Database(app.orm), 'deafness', { onRevoked, onClosed: () => {} });
  open.push(channel);
  return channel;
}

describe('a channel that receives notifications', () => {
  test('reports so, also if every connection of the pool is busy', async () => {
    const app = await appWith();
    const channel = await channelOf(app);
    const database = new Database(app.orm);
    let isOver = false;
    const load = Array.from({ length: 40 }, async () => {
      while (!isOver) await database.query('select pg_sleep(0.002)', []);
    });
    for (let round = 0; round < 100; round++) {
      const another = await channelOf(app);
      expect(await another.verifyDelivery()).toBe(true);
      another.close();
    }
    expect(await channel.verifyDelivery()).toBe(true);
    isOver = true;
    await Promise.all(load);
  });

  test('on one database with other channels gets its own test notification, and all get each session', async () => {
    const app = await appWith();
    const database = new Database(app.orm);
    const handlers = { onRevoked: vi.fn(), onClosed: vi.fn() };
    const channels = await Promise.all([1, 2, 3].map(() => RevocationChannel.open(database, 'shared', handlers)));
    const verified = channels.map((channel) => channel.verifyDelivery());
    expect(await Promise.all(verified)).toEqual([true, true, true]);
    const session = randomUUID();
    await app.database.pool.query(`notify other, 'nothing'; notify shared, '${session}'`);
    for (const channel of channels) await channel.query('select 1');
    expect(handlers.onRevoked.mock.calls).toEqual(Array(3).fill([session, undefined]));
    for (const channel of channels) channel.close();
  });

  test('reports that its connection has ended once, and not if it was closed', async () => {
    const proxy = await TcpProxy.start();
    open.push(proxy);
    const app = await appWith({ databaseUrl: (url) => proxy.urlOf(url) });
    const handlers = { onRevoked: vi.fn(), onClosed: vi.fn() };
    const [lost, closed] = await Promise.all(
      [1, 2].map(() => RevocationChannel.open(new Database(app.orm), 'ended', handlers)),
    );
    closed?.close();
    await expect(closed?.query('select 1')).rejects.toThrow();
    proxy.cut();
    await until(() => !lost?.isOpen);
    await expect(lost?.query('select 1')).rejects.toThrow();
    expect(handlers.onClosed.mock.calls).toEqual([[]]);
  });

  test('passes on session ids only, because any role of the database can notify anything', async () => {
    const app = await appWith();
    const received: string[] = [];
    const channel = await channelOf(app, (session) => received.push(session));
    const session = randomUUID();
    const sent = [
      '',
      'x'.repeat(7000),
      `${session} `,
      `${session}'`,
      session.toUpperCase(),
      'ping',
      `ping ${session} 1`,
    ];
    for (const payload of [...sent, session]) {
      await app.database.pool.query('select pg_notify($1, $2)', ['deafness', payload]);
    }
    await channel.query('select 1');
    expect(received).toEqual([session]);
  });
});

describe('a channel that receives no notifications', () => {
  test('reports so after three answers', async () => {
    const proxy = await TcpProxy.start();
    open.push(proxy);
    const app = await appWith({ databaseUrl: (url) => proxy.urlOf(url) });
    const channel = await channelOf(app);
    proxy.isDeaf = true;
    const query = vi.spyOn(channel, 'query');
    expect(await channel.verifyDelivery()).toBe(false);
    expect(query).toHaveBeenCalledTimes(3);
  });

  test('still works if the server does not know LISTEN', async () => {
    const app = await appWith();
    const { query } = DedicatedConnection.prototype;
    vi.spyOn(DedicatedConnection.prototype, 'query').mockImplementation(function (
      this: DedicatedConnection,
      text,
      values,
    ) {
      return query.call(this, text.replace(/^listen/, 'unknown'), values) as Promise<never[]>;
    });
    const channel = await channelOf(app);
    expect(await channel.verifyDelivery()).toBe(false);
    expect(await channel.query('select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('reports nothing if the pool does not answer', async () => {
    const proxy = await TcpProxy.start();
    open.push(proxy);
    const app = await appWith({ databaseUrl: (url) => proxy.urlOf(url) });
    const channel = await channelOf(app);
    const isStalled = proxy.fail('stalled', 'pg_notify');
    const verified = channel.verifyDelivery().catch((error: Error) => error.message);
    await isStalled;
    expect(await verified).toBe('the pool is busy');
    proxy.resume();
  });
});

describe('a server', () => {
  const LIST = { accessTokenSessionCheck: 'revocation-list', revocationListFallback: 'fail-closed' } as const;
  const warnings = ({ log }: TestApp) => log.filter(({ level }) => level === 'warn');
  const logged = ({ log }: TestApp) => log.map(({ level, message }) => `${level} ${message.split(/,|\. /)[0]}`);
  const CURRENT = 'info the revocation list is current';

  /** A server whose connections lead through a pooler that delivers no notifications, and one without a pooler. */
  async function withPooler(settings: SettingsInput = {}) {
    const proxy = await TcpProxy.start();
    open.push(proxy);
    proxy.isDeaf = true;
    const direct = await appWith({ settings: LIST });
    const databaseUrl = (url: string) => proxy.urlOf(url);
    const pooled = await appWith({ database: direct.database, databaseUrl, settings: { ...LIST, ...settings } });
    const revoked: SessionRevoked[] = [];
    pooled.auth.events.on('session.revoked', (event) => revoked.push(event));
    return { proxy, direct, pooled, revoked };
  }

  const at = (server: TestApp, { access }: TestClient) => Object.assign(server.client(), { access });
  const statusAt = async (server: TestApp, client: TestClient) => (await at(server, client).get('/auth/user')).status;

  test('without notifications refuses ended sessions and emits their events, and warns once, with the remedy', async () => {
    const { proxy, direct, pooled, revoked } = await withPooler();
    await until(() => warnings(pooled).length > 0);
    for (let round = 0; round < 3; round++) {
      const [{ client }, { client: other }] = [await createOwner(direct), await createOwner(direct)];
      expect(await statusAt(pooled, client)).toBe(200);
      await client.logout();
      await until(async () => (await statusAt(pooled, client)) === 401);
      expect(await statusAt(pooled, other)).toBe(200);
      await until(() => revoked.length > round);
      expect(revoked[round]).toMatchObject({ session: sessionOf(client), reason: 'elsewhere' });
      const connects = pooled.log.length;
      proxy.cut();
      await until(() => pooled.log.length >= connects + 2); // not current, and current again
    }
    expect(revoked).toHaveLength(3);
    const lost = ['warn the revocation list is not current', CURRENT];
    const once = 'warn the revocation list gets no notifications';
    expect(logged(pooled).filter((line) => line !== once)).toEqual([CURRENT, ...lost, ...lost, ...lost]);
    expect(warnings(pooled).filter(({ state }) => !state)).toEqual([
      { level: 'warn', message: expect.stringMatching(/Remedy: set listenUrl to the URL of a direct connection$/) },
    ]);
  });

  test('connects again if notifications stop, because its pool may lead to another server by now', async () => {
    const proxy = await TcpProxy.start();
    open.push(proxy);
    const verified = vi.spyOn(RevocationChannel.prototype, 'verifyDelivery');
    const app = await appWith({ databaseUrl: (url) => proxy.urlOf(url), settings: LIST });
    expect(await verified.mock.results[0]?.value).toBe(true);
    const opened = vi.spyOn(RevocationChannel, 'open');
    proxy.isDeaf = true;
    await until(() => logged(app).filter((line) => line === CURRENT).length === 2);
    await until(() => warnings(app).length > 1);
    expect(logged(app).sort()).toEqual([
      CURRENT,
      CURRENT,
      'warn the revocation list gets no notifications',
      'warn the revocation list is not current',
    ]);
    expect(opened).toHaveBeenCalledTimes(1);
  });

  test('says that notifications arrive again when none was lost for five minutes', async () => {
    const { proxy, pooled } = await withPooler();
    await until(() => warnings(pooled).length > 0);
    const arrived: boolean[] = [];
    const verify = RevocationChannel.prototype.verifyDelivery;
    vi.spyOn(RevocationChannel.prototype, 'verifyDelivery').mockImplementation(async function (
      this: RevocationChannel,
    ) {
      const hasArrived = await verify.call(this);
      arrived.push(hasArrived);
      return hasArrived;
    });
    /** Connects again, and waits until a test notification arrives, or is lost. */
    const reconnect = async (isDeaf: boolean) => {
      proxy.isDeaf = isDeaf;
      proxy.cut();
      const before = arrived.length;
      await until(() => arrived.slice(before).includes(!isDeaf));
    };
    for (const isDeaf of [false, true, false, true]) await reconnect(isDeaf); // as some poolers do by chance
    pooled.clock.advance('299s');
    await reconnect(false);
    const ofNotifications = () => logged(pooled).filter((line) => /notifications/.test(line));
    expect(ofNotifications()).toEqual(['warn the revocation list gets no notifications']);
    pooled.clock.advance('1s');
    await reconnect(false);
    await until(() => ofNotifications().length > 1);
    expect(ofNotifications()).toEqual([
      'warn the revocation list gets no notifications',
      'info the revocation list gets notifications',
    ]);
  });

  test('connects again once, and warns once, if some notifications are lost for good', async () => {
    const results = [true, false, true]; // the first connection, a check, and the second connection
    vi.spyOn(RevocationChannel.prototype, 'verifyDelivery').mockImplementation(async () => results.shift() ?? false);
    const app = await appWith({ settings: LIST });
    await until(() => app.log.length === 4);
    expect(logged(app)).toEqual([
      CURRENT,
      'warn the revocation list is not current',
      CURRENT,
      'warn the revocation list gets no notifications',
    ]);
  });

  test('emits no event for a session that ended too long ago to matter, when it connects again', async () => {
    const { proxy, direct, pooled, revoked } = await withPooler();
    const retentionMs = maxAccessTokenAgeMs(pooled.auth.settings);
    const old = [new Date(pooled.clock.now() - retentionMs - 1000), randomUUID()];
    await direct.database.pool.query('insert into auth_revocation values ($1, $2)', old);
    proxy.cut();
    await until(() => logged(pooled).filter((line) => line === CURRENT).length === 2);
    const { client } = await createOwner(direct);
    await client.logout();
    await until(() => revoked.length > 0);
    expect(revoked).toMatchObject([{ session: sessionOf(client) }]);
  });

  test('refuses an ended session also after its clock was far ahead for a while', async () => {
    const app = await appWith({ settings: LIST });
    const { client } = await createOwner(app);
    await client.logout();
    const now = app.clock.now();
    const reads = vi.spyOn(RevocationReader.prototype, 'read');
    const readAgain = async () => {
      const before = reads.mock.calls.length;
      await until(() => reads.mock.calls.length > before + 1);
    };
    app.clock.set(new Date(now + 2 * maxAccessTokenAgeMs(app.auth.settings)));
    await readAgain();
    app.clock.set(new Date(now));
    await readAgain();
    expect((await client.get('/auth/user')).status).toBe(401);
  });

  test('with LISTEN_URL gets notifications although its pool does not, and warns of nothing', async () => {
    const { proxy, direct } = await withPooler();
    const listenUrl = direct.database.url;
    secrets.add(new URL(listenUrl).password);
    const databaseUrl = (url: string) => proxy.urlOf(url);
    const app = await appWith({ database: direct.database, databaseUrl, settings: { ...LIST, listenUrl } });
    const revoked: SessionRevoked[] = [];
    app.auth.events.on('session.revoked', (event) => revoked.push(event));
    vi.spyOn(RevocationReader.prototype, 'read').mockImplementation(async function* () {});
    const { client } = await createOwner(direct);
    await client.logout();
    await until(() => revoked.length > 0); // by a notification: no server reads the table
    expect(await statusAt(app, client)).toBe(401);
    expect(logged(app)).toEqual([CURRENT]);
  });

  test('reads the revocations of its app, also if LISTEN_URL has the search_path of another schema', async () => {
    const { database } = await appWith();
    secrets.add(new URL(database.url).password);
    await database.pool.query('create schema other; create table other.auth_revocation (like public.auth_revocation)');
    const listenUrl = `${database.url}?options=-c%20search_path%3Dother`;
    const app = await appWith({ database, settings: { ...LIST, listenUrl } });
    const { client } = await createOwner(app);
    await database.pool.query('insert into public.auth_revocation values (now(), $1)', [sessionOf(client)]);
    await until(async () => (await statusAt(app, client)) === 401);
    expect(logged(app)).toEqual([CURRENT]);
  });

  test('does not use a list that reads another database, and says so once', async () => {
    const direct = await appWith({ settings: LIST });
    const other = await appWith();
    const attempt = vi.spyOn(RevocationChannel, 'open');
    const listenUrl = other.database.url;
    secrets.add(new URL(listenUrl).password);
    const app = await appWith({ database: direct.database, settings: { ...LIST, listenUrl } });
    const attempts = attempt.mock.calls.length;
    await until(() => attempt.mock.calls.length > attempts + 1);
    const { client } = await createOwner(direct);
    expectUnavailable(await at(app, client).get('/auth/user'));
    expect(app.log.filter(({ message }) => message !== 'request failed')).toEqual([
      {
        level: 'warn',
        message: 'the revocation list is not current',
        state: 'deaf',
        reason: expect.stringMatching(/^listenUrl gets no notifications from the database of the app, so/),
      },
    ]);
  });

  test('trusts its list again after its event loop was blocked for longer than the limit for an answer', async () => {
    const app = await appWith({ settings: LIST });
    const { client } = await createOwner(app);
    const read = vi.spyOn(RevocationReader.prototype, 'read');
    for (let block = 1; block <= 5; block++) {
      const reads = read.mock.calls.length;
      await until(() => read.mock.calls.length > reads); // the statement has been sent
      const start = performance.now();
      while (performance.now() - start < 2 * READ_MS);
    }
    const reads = read.mock.calls.length;
    await until(() => read.mock.calls.length > reads + 1);
    expect(warnings(app)).toEqual([]);
    expect((await client.get('/auth/user')).status).toBe(200);
  });
});
