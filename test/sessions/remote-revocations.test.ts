import { createServer, type IncomingMessage, request as open } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { AuthEvents, Clock, type SessionRevoked, Settings, type SettingsInput } from '../../src/index.js';
import { RemoteRevocations } from '../../src/sessions/remote-revocations.js';
import { createOwner, sessionOf } from '../support/race.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/test-app.js';
import { until } from '../support/until.js';

const LIST = { accessTokenSessionCheck: 'revocation-list', revocationListFallback: 'fail-open' } as const;

const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

/** A server, with all its events of ended sessions. */
async function server(settings: SettingsInput, options: TestAppOptions = {}) {
  const app = await createTestApp({ ...options, settings });
  opened.push(app);
  const revoked: SessionRevoked[] = [];
  app.auth.events.on('session.revoked', (event) => revoked.push(event));
  return Object.assign(app, { revoked });
}

type Server = Awaited<ReturnType<typeof server>>;

const isCurrent = ({ log }: TestApp) =>
  log.findLast(({ message }) => /revocation list is/.test(message))?.message === 'the revocation list is current';

/** Waits until all earlier revocations have arrived: notifications come in the order of their commits. */
async function settled(ending: Server, ...servers: readonly Server[]): Promise<void> {
  const { id, client } = await createOwner(ending);
  const session = sessionOf(client);
  await ending.auth.sessions.revokeAll(id);
  await until(() => servers.every(({ revoked }) => revoked.some((event) => event.session === session)));
  for (const { revoked } of [ending, ...servers]) {
    const last = revoked.findIndex((event) => event.session === session);
    revoked.splice(last, 1);
  }
}

describe('session.revoked', () => {
  test('is emitted once with its details by the server that ends a session, and as `elsewhere` by each other server with a list', async () => {
    const here = await server(LIST);
    const there = await server(LIST, { database: here.database });
    const deaf = await server({}, { database: here.database });
    const owner = await createOwner(here);
    const session = sessionOf(owner.client);
    await owner.client.logout();
    await settled(here, there);
    const at = new Date(here.clock.now());
    expect(here.revoked).toEqual([{ session, user: owner.id, reason: 'logout', at }]);
    expect(there.revoked).toEqual([{ session, reason: 'elsewhere', at: new Date(there.clock.now()) }]);
    expect(deaf.revoked).toEqual([]);
  });

  test('is emitted as `elsewhere` for each of many sessions, and for sessions that a purge or a server without a list has ended', async () => {
    const here = await server(LIST);
    const there = await server(LIST, { database: here.database });
    const deaf = await server({}, { database: here.database });
    const owner = await createOwner(here);
    const ended = [owner.client, await owner.another(), await owner.another()].map(sessionOf);
    await owner.client.logoutAll();
    await settled(here, there);
    expect(here.revoked.map(({ reason }) => reason)).toEqual(['logout-all', 'logout-all', 'logout-all']);
    expect(there.revoked.map(({ reason }) => reason)).toEqual(['elsewhere', 'elsewhere', 'elsewhere']);
    expect(there.revoked.map(({ session }) => session).sort()).toEqual(ended.sort());

    for (const { revoked } of [here, there]) revoked.splice(0);
    const second = await createOwner(here);
    await deaf.auth.sessions.revokeAll(second.id);
    await settled(here, there);
    const elsewhere = [{ session: sessionOf(second.client), reason: 'elsewhere', at: expect.any(Date) }];
    expect(deaf.revoked).toEqual([expect.objectContaining({ user: second.id, reason: 'app' })]);
    expect(here.revoked).toEqual(elsewhere);
    expect(there.revoked).toEqual(elsewhere);

    for (const { revoked } of [here, there]) revoked.splice(0);
    const third = sessionOf((await createOwner(here)).client);
    await here.database.pool.query('update auth_session set expires_at = $1 where id = $2', [
      new Date(here.clock.now()),
      third,
    ]);
    await here.auth.purge.run();
    await settled(here, there);
    for (const { revoked } of [here, there]) {
      expect(revoked).toEqual([{ session: third, reason: 'elsewhere', at: expect.any(Date) }]);
    }
  });

  test('is emitted for sessions that another server ended while the connection was cut', async () => {
    const proxy = await TcpProxy.start();
    opened.push(proxy);
    const here = await server(LIST);
    const there = await server(LIST, { database: here.database, databaseUrl: (url) => proxy.urlOf(url) });
    const [one, two, survivor] = [await createOwner(here), await createOwner(here), await createOwner(here)];
    await proxy.setDoor('closed');
    await until(() => !isCurrent(there));
    await one.client.logout();
    await two.client.logout();
    expect(there.revoked).toEqual([]);
    await proxy.setDoor('open');
    await until(() => there.revoked.length >= 2);
    await settled(here, there);
    const emitted = there.revoked.map(({ session, reason }) => `${reason} ${session}`).sort();
    expect(emitted).toEqual([one, two].map(({ client }) => `elsewhere ${sessionOf(client)}`).sort());
    expect((await survivor.client.refresh()).status).toBe(200);
  });

  test('can close a socket on another server', async () => {
    const here = await server(LIST);
    const there = await server(LIST, { database: here.database });
    const sockets = new Map<string, Duplex>();
    const upgrading = createServer().on('upgrade', async (request: IncomingMessage, socket: Duplex) => {
      const { session = '' } = await there.auth.authenticate(request);
      sockets.set(session, socket);
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    });
    await new Promise<void>((resolve) => {
      upgrading.listen(0, '127.0.0.1', resolve);
    });
    opened.push({ close: async () => upgrading.close() });
    there.auth.events.on('session.revoked', ({ session }) => sockets.get(session)?.destroy());
    const connect = (access: string) =>
      new Promise<Duplex>((resolve, reject) => {
        const { port } = upgrading.address() as AddressInfo;
        const headers = { Connection: 'Upgrade', Upgrade: 'websocket', Authorization: `Bearer ${access}` };
        open({ port, host: '127.0.0.1', headers })
          .on('upgrade', (_, socket) => resolve(socket))
          .on('error', reject)
          .end();
      });
    const [leaving, staying] = [await createOwner(here), await createOwner(here)];
    const [closing, open2] = [await connect(leaving.client.access), await connect(staying.client.access)];
    const closed = new Promise((resolve) => {
      closing.once('close', resolve);
    });
    closing.resume();
    await leaving.client.logout();
    await closed;
    expect(open2.destroyed).toBe(false);
    open2.destroy();
  });
});

test('a revocation that is read from the table is not emitted again by the process that ended the session', async () => {
  const log = { info() {}, warn() {}, error() {} };
  const events = new AuthEvents(log);
  const remote = new RemoteRevocations({ events, settings: new Settings(), clock: new Clock() });
  const emitted: string[] = [];
  events.on('session.revoked', ({ session, reason }) => emitted.push(`${reason} ${session}`));
  const reading = remote.emitMissed(['own', 'other']);
  // The event of its own session is emitted a moment after the commit.
  events.emit('session.revoked', { session: 'own', user: '1', reason: 'logout', at: new Date() });
  await reading;
  expect(emitted).toEqual(['logout own', 'elsewhere other']);
});
