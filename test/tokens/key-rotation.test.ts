import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SettingsInput } from '../../src/index.js';
import { openToken } from '../support/forge.js';
import { expectTokenNotValid, INVALID_TOKEN } from '../support/refusal.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';
import type { TestDatabase } from '../support/test-database.js';
import { newKey, type TestKey } from '../support/test-keys.js';

/** The client with its tokens, on another server. */
const movedTo = (app: TestApp, { access, refreshToken }: TestClient): TestClient =>
  Object.assign(app.client(), { access, refreshToken });

const algorithmOf = (token: string) => openToken(token).header.alg;

describe('a new key', () => {
  let first: TestApp;
  beforeAll(async () => {
    first = await createTestApp();
  });
  afterAll(() => first.close());

  const withKey = async <T>({ settings }: TestKey, older: string, work: (app: TestApp) => Promise<T>): Promise<T> => {
    const verifyingKeys = older === '' ? undefined : older;
    const app = await createTestApp({ database: first.database, settings: { ...settings, verifyingKeys } });
    try {
      return await work(app);
    } finally {
      await app.close();
    }
  };

  test.each([
    [['HS256', 'ES256', 'ES256', 'RS256']],
    [['HS256', 'HS256']],
    [['HS512', 'HS512']],
    [['RS256', 'RS256', 'ES512']],
    [['PS384', 'PS384']],
    [['ES384', 'ES256', 'HS256']],
  ] as const)(
    'signs no user out on the way %s: old tokens still work once, new ones are signed with the new key',
    async (way) => {
      const keys = await Promise.all(way.map(newKey));
      let client: TestClient | undefined;
      for (const [step, key] of keys.entries()) {
        const older = keys
          .slice(0, step)
          .map((each) => each.older)
          .join('\n');
        client = await withKey(key, older, async (app) => {
          if (!client) return app.signedUp();
          const moved = movedTo(app, client);
          expect(algorithmOf(moved.access)).toBe(way[step - 1]);
          expect((await moved.get('/auth/user')).status).toBe(200);
          expect((await moved.refresh()).status).toBe(200);
          expect([moved.access, moved.refreshToken].map(algorithmOf)).toEqual([way[step], way[step]]);
          expect((await moved.get('/auth/user')).status).toBe(200);
          return moved;
        });
      }
      const { rows } = await first.database.pool.query('select enabled from auth_session where id = $1', [
        openToken(client?.access ?? '').claims.session,
      ]);
      expect(rows).toEqual([{ enabled: true }]);
    },
  );

  test('is not accepted where the old key was removed: its old tokens are refused, and no session ends', async () => {
    const [old, next] = [await newKey('ES256'), await newKey('ES256')];
    const client = await withKey(old, '', (app) => app.signedUp());
    await withKey(next, '', async (app) => {
      const moved = movedTo(app, client);
      expectTokenNotValid(await moved.get('/auth/user'), INVALID_TOKEN);
      expectTokenNotValid(await moved.refresh(), 'Bearer');
      expect(app.events).toEqual([]);
    });
    await withKey(next, old.older, async (app) => {
      expect((await movedTo(app, client).refresh()).status).toBe(200);
    });
  });

  test.each([
    ['RS256', 'PS256'],
    ['HS512', 'ES256'],
  ] as const)(
    'on the way from %s to %s refuses old tokens although the old key is kept, and ends no session',
    async (...way) => {
      const [old, next] = [await newKey(way[0]), await newKey(way[1])];
      const client = await withKey(old, '', (app) => app.signedUp());
      await withKey(next, old.older, async (app) => {
        const moved = movedTo(app, client);
        expectTokenNotValid(await moved.get('/auth/user'), INVALID_TOKEN);
        expectTokenNotValid(await moved.refresh(), 'Bearer');
        expect(app.events).toEqual([]);
      });
      await withKey(old, '', async (app) => expect((await movedTo(app, client).refresh()).status).toBe(200));
    },
  );

  test('gives a client that refreshed under the old key the same successor within the grace', async () => {
    const [old, next] = [await newKey('HS256'), await newKey('ES256')];
    const tabs = await withKey(old, '', async (app) => {
      const client = await app.signedUp();
      const other = client.copy();
      expect((await client.refresh()).status).toBe(200);
      return [client, other] as const;
    });
    await withKey(next, old.older, async (app) => {
      const late = movedTo(app, tabs[1]);
      expect((await late.refresh()).status).toBe(200);
      expect(openToken(late.refreshToken).claims).toEqual(openToken(tabs[0].refreshToken).claims);
      expect([late, tabs[0]].map(({ refreshToken }) => algorithmOf(refreshToken))).toEqual(['ES256', 'HS256']);
      expect(app.events).toMatchObject([{ reuse: 'lost-response' }]);
    });
  });
});

const CLIENTS = 6;

/** Requests of all clients that must be answered before the next server is replaced. */
const BETWEEN = 40;

interface Server {
  readonly app: TestApp;
  inFlight: number;
  onIdle?: () => void;
}

/** Servers behind a load balancer that lets requests finish before it removes a server. */
class Servers {
  readonly #servers: Server[] = [];
  #turn = 0;

  constructor(private readonly database: TestDatabase) {}

  /** Starts a server with these settings, replacing the one at `index` if there is one. */
  async start(index: number, settings: SettingsInput): Promise<void> {
    const app = await createTestApp({ database: this.database, settings });
    const old = this.#servers[index];
    this.#servers[index] = { app, inFlight: 0 };
    if (!old) return;
    const idle = new Promise<void>((resolve) => {
      old.onIdle = resolve;
    });
    if (old.inFlight > 0) await idle;
    await old.app.close();
  }

  /** Sends a request to each server in turn. */
  async send<T>(work: (app: TestApp) => Promise<T>): Promise<T> {
    const server = this.#servers[this.#turn++ % this.#servers.length];
    if (!server) throw new Error('no server');
    server.inFlight++;
    try {
      return await work(server.app);
    } finally {
      server.inFlight--;
      if (server.inFlight === 0) server.onIdle?.();
    }
  }

  async stop(): Promise<void> {
    for (const { app } of this.#servers) await app.close();
  }
}

/** Clients that call and refresh without a pause, one request after the other, on any server. */
class Load {
  readonly statuses: number[] = [];
  readonly algorithms = new Set<unknown>();
  #isOver = false;
  #waiting?: { count: number; done: () => void };
  #running: Promise<unknown> = Promise.resolve();

  constructor(private readonly servers: Servers) {}

  start(clients: TestClient[]): void {
    this.#running = Promise.all(clients.map((client) => this.#use(client)));
  }

  /** Resolves when this number of further requests is answered. */
  async more(count: number): Promise<void> {
    await new Promise<void>((done) => {
      this.#waiting = { count: this.statuses.length + count, done };
    });
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #use(client: TestClient): Promise<void> {
    let current = client;
    while (!this.#isOver) {
      for (const request of ['call', 'call', 'refresh'] as const) {
        await this.servers.send(async (app) => {
          current = movedTo(app, current);
          const { status } = request === 'call' ? await current.get('/auth/user') : await current.refresh();
          this.statuses.push(status);
          this.algorithms.add(algorithmOf(current.access));
        });
        if (this.#waiting && this.statuses.length >= this.#waiting.count) this.#waiting.done();
      }
    }
  }
}

describe('a rotation of the key under load, server by server', () => {
  let database: TestDatabase;
  let home: TestApp;
  beforeAll(async () => {
    home = await createTestApp();
    database = home.database;
  });
  afterAll(() => home.close());

  test('refuses no request and ends no session, from HS256 to ES256, to another ES256, and to RS256', async () => {
    const [hs, es, other, rs] = (await Promise.all((['HS256', 'ES256', 'ES256', 'RS256'] as const).map(newKey))) as [
      TestKey,
      TestKey,
      TestKey,
      TestKey,
    ];
    const all = [hs, es, other, rs];
    const servers = new Servers(database);
    for (const index of [0, 1]) await servers.start(index, hs.settings);
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, () => servers.send((app) => app.signedUp(`${crypto.randomUUID()}@example.com`))),
    );

    const load = new Load(servers);
    load.start(clients);
    const roll = async (settings: SettingsInput) => {
      for (const index of [0, 1]) {
        await servers.start(index, settings);
        await load.more(BETWEEN);
      }
    };
    for (const [step, key] of all.entries()) {
      const next = all[step + 1];
      const older = all
        .slice(0, step)
        .map((each) => each.older)
        .join('\n');
      // Every server gets the next key before any server signs with it.
      if (next) await roll({ ...key.settings, verifyingKeys: `${older}\n${next.older}` });
      if (next) await roll({ ...next.settings, verifyingKeys: `${older}\n${key.older}` });
    }
    await load.stop();

    expect(load.statuses.length).toBeGreaterThan(6 * 2 * BETWEEN);
    expect(load.statuses.filter((status) => status !== 200)).toEqual([]);
    expect([...load.algorithms]).toEqual(expect.arrayContaining(['HS256', 'ES256', 'RS256']));
    expect(await home.liveSessions()).toBe(CLIENTS);
    expect(await home.sessions()).toHaveLength(CLIENTS);
    await servers.stop();
  });
});
