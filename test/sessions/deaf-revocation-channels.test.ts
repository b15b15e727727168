import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Database } from '../../src/database/database.js';
import { RevocationChannel } from '../../src/sessions/revocation-channel.js';
import { createOwner } from '../support/race.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/test-app.js';
import { until } from '../support/until.js';

/** Milliseconds between two beats of a server. */
const BEAT_MS = 450;

/** Heartbeats in an hour. */
const HOUR = 3_600_000 / BEAT_MS;

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

/** Sends heartbeats as a server does, and returns how often the channel reported itself as deaf. */
async function falseAlarms(channel: RevocationChannel, beats: number): Promise<number> {
  let alarms = 0;
  for (let beat = 1; beat <= beats; beat++) {
    if (beat % 6 === 0) channel.ping().catch(() => {});
    await channel.heartbeat();
    if (channel.isDeaf) alarms++;
  }
  return alarms;
}

describe('a channel that receives notifications', () => {
  test('is not reported as deaf during an hour of an idle app', async () => {
    const channel = await channelOf(await appWith());
    expect(await channel.verifyDelivery()).toBe(true);
    expect(await falseAlarms(channel, HOUR)).toBe(0);
  });

  test('is not reported as deaf during an hour in which every connection of the pool is busy', async () => {
    const app = await appWith();
    const channel = await channelOf(app);
    expect(await channel.verifyDelivery()).toBe(true);
    const database = new Database(app.orm);
    let isOver = false;
    const load = Array.from({ length: 40 }, async () => {
      while (!isOver) await database.query('select pg_sleep(0.002)', []);
    });
    expect(await falseAlarms(channel, HOUR)).toBe(0);
    isOver = true;
    await Promise.all(load);
  });

  test('is not reported as deaf while the statement of a ping that has arrived gets no answer', async () => {
    const proxy = await TcpProxy.start();
    open.push(proxy);
    const app = await appWith({ databaseUrl: (url) => proxy.urlOf(url) });
    const channel = await channelOf(app);
    for (let beat = 0; beat < 5; beat++) await channel.heartbeat();
    const isStalled = proxy.fail('stalled', 'pg_notify');
    const ping = channel.ping();
    await isStalled;
    expect(await falseAlarms(channel, 5)).toBe(0);
    proxy.resume();
    await ping;
    expect(await falseAlarms(channel, 5)).toBe(0);
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
    await channel.heartbeat();
    expect(received).toEqual([session]);
  });
});

describe('a channel that receives no notifications', () => {
  async function deafChannel() {
    const proxy = await TcpProxy.start();
    open.push(proxy);
    const app = await appWith({ databaseUrl: (url) => proxy.urlOf(url) });
    const channel = await channelOf(app);
    proxy.isDeaf = true;
    return { proxy, channel };
  }

  test('is deaf three answers after the ping, and not before', async () => {
    const { channel } = await deafChannel();
    await channel.ping();
    const verdicts = [];
    for (let beat = 0; beat < 3; beat++) {
      await channel.heartbeat();
      verdicts.push(channel.isDeaf);
    }
    expect(verdicts).toEqual([false, false, true]);
  });

  test('becomes deaf even if it sends more pings, so that these do not delay the result', async () => {
    const { channel } = await deafChannel();
    for (let beat = 0; beat < 3; beat++) {
      await channel.ping();
      await channel.heartbeat();
    }
    expect(channel.isDeaf).toBe(true);
  });

  test('is no longer deaf as soon as one ping arrives, an older or a newer one', async () => {
    const { proxy, channel } = await deafChannel();
    await channel.ping();
    for (let beat = 0; beat < 3; beat++) await channel.heartbeat();
    proxy.isDeaf = false;
    await channel.ping();
    await channel.heartbeat();
    expect(channel.isDeaf).toBe(false);
  });

  test('sends another ping if the pool never answered the one before', async () => {
    const { proxy, channel } = await deafChannel();
    const isStalled = proxy.fail('stalled', 'pg_notify');
    const stalled = channel.ping().catch((error: Error) => error.message);
    await isStalled;
    expect(await stalled).toBe('the pool is busy');
    await channel.ping();
    for (let beat = 0; beat < 3; beat++) await channel.heartbeat();
    expect(channel.isDeaf).toBe(true);
    proxy.resume();
  });
});

describe('a server', () => {
  const LIST = { accessTokenSessionCheck: 'revocation-list', revocationListFallback: 'fail-closed' } as const;
  const warnings = ({ log }: TestApp) => log.filter(({ level }) => level === 'warn');

  test('detects within six seconds that its list is deaf', async () => {
    const proxy = await TcpProxy.start();
    open.push(proxy);
    const app = await appWith({ settings: LIST, databaseUrl: (url) => proxy.urlOf(url) });
    const beat = vi.spyOn(RevocationChannel.prototype, 'heartbeat');
    await until(() => beat.mock.calls.length > 0);
    beat.mockClear();
    proxy.isDeaf = true;
    await until(() => warnings(app).length > 0);
    expect(warnings(app)[0]).toMatchObject({ state: 'deaf' }); // then it reconnects
    expect(beat.mock.calls.length * BEAT_MS).toBeLessThan(6000);
  });

  test('trusts its list again after its event loop was blocked for longer than the limit for an answer', async () => {
    const app = await appWith({ settings: LIST });
    const { client } = await createOwner(app);
    const beat = vi.spyOn(RevocationChannel.prototype, 'heartbeat');
    for (let block = 1; block <= 5; block++) {
      const beats = beat.mock.calls.length;
      await until(() => beat.mock.calls.length > beats); // the ping has been sent
      const start = performance.now();
      while (performance.now() - start < 2 * BEAT_MS);
    }
    const beats = beat.mock.calls.length;
    await until(() => beat.mock.calls.length > beats + 1);
    expect(warnings(app)).toEqual([]);
    expect((await client.get('/auth/user')).status).toBe(200);
  });
});
