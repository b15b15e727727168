import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Proof } from '../../src/dpop/proof.js';
import { BoundClient } from '../support/bound-client.js';
import { type BoundServer, BoundServers, type Outcome } from '../support/bound-servers.js';
import { BoundSessionClient } from '../support/bound-session-client.js';
import { expectProblem } from '../support/expect-problem.js';
import { claimsOf, sessionOf } from '../support/race.js';
import { type Fault, TcpProxy } from '../support/tcp-proxy.js';
import { createTestApp } from '../support/test-app.js';
import { expectUnavailable } from '../support/unavailable.js';

const [OWNER, THIEF] = ['owner', 'thief'].map((name) => name.padEnd(43, '-')) as [string, string];

/** A part of a statement each, by which the proxy recognises it: of a rotation, and of the use of a proof without one. */
const [ROTATE, USE_PROOF] = ['set "jti"', 'set "key_thumbprint"'];
const FAULTS: readonly Fault[] = ['lost before', 'lost after', 'lost inside'];
const HOUR = 3600;

let proxy: TcpProxy;
let servers: BoundServers;
beforeAll(async () => {
  proxy = await TcpProxy.start();
  const options = {
    databaseUrl: (direct: string) => proxy.urlOf(direct),
    // With a hook on connections nothing is prepared, so that the proxy finds each statement by its text.
    orm: { driverOptions: { connectionTimeoutMillis: 20_000 }, onReserveConnection: async () => {} },
  };
  servers = await BoundServers.start(options, 2);
});
afterAll(async () => {
  await servers.close();
  await proxy.close();
});

const query = async (sql: string, ...values: unknown[]) =>
  (await servers.first.app.database.pool.query(sql, values)).rows;
const rowOf = async (session: string) => (await query('select * from auth_session where id = $1', session))[0];

describe('an outage of an hour', () => {
  /** The number of sessions, of those that refresh before the database is gone, and of those that refresh at once. */
  const [SESSIONS, OPEN, WAVE] = [1000, 800, 50];

  /** Calls `act` for each of the items, `WAVE` at once. */
  async function inWaves<T, R>(items: readonly T[], act: (item: T, index: number) => Promise<R>): Promise<R[]> {
    const results: R[] = [];
    for (let start = 0; start < items.length; start += WAVE)
      results.push(...(await Promise.all(items.slice(start, start + WAVE).map((item, at) => act(item, start + at)))));
    return results;
  }

  test(`in the middle of ${SESSIONS} refreshes signs no client out, and leaves each with the live token`, async () => {
    const user = { id: claimsOf((await servers.open(undefined)).access).sub as string };
    const direct = await createTestApp({ database: servers.first.app.database });
    direct.clock.set(new Date(servers.now));
    const { sessions } = direct.auth;
    const owner = await sessions.ownerOf(user.id);
    const keys = Array.from({ length: SESSIONS }, (_, index) => `${index}`.padEnd(43, '-'));
    const clients = await inWaves(keys, async (key) => {
      const client = { proof: servers.proofBy(key) };
      return new BoundSessionClient(servers, (await sessions.open(user, { client, owner })).refresh, key);
    });
    await direct.close();
    const serverOf = (index: number) => servers.all[index % 2] as BoundServer;

    const lose = async (client: BoundSessionClient, index: number) => {
      if (index % WAVE === 0 && index < OPEN) for (const fault of FAULTS) void proxy.fail(fault, ROTATE);
      const answer = await client.refresh(index % 10 > 0, serverOf(index)); // one of ten gets its answer
      return typeof answer === 'string' ? answer : 'rotated';
    };
    const outcomes = await inWaves(clients.slice(0, OPEN), lose);
    expect(proxy.disarm()).toBe(0);
    await proxy.setDoor('closed');
    outcomes.push(...(await inWaves(clients.slice(OPEN), lose)));
    await proxy.setDoor('open');
    const failed = outcomes.filter((outcome) => outcome === 'service_unavailable').length;
    expect(failed).toBeGreaterThanOrEqual(SESSIONS - OPEN + (OPEN / WAVE) * FAULTS.length);
    expect(outcomes.filter((outcome) => outcome === 'rotated')).toHaveLength(SESSIONS - failed);

    servers.advance(HOUR);
    await inWaves(clients, async (client, index) => {
      let answer = await client.refresh(false, serverOf(index));
      while (answer === 'service_unavailable') answer = await client.refresh(false, serverOf(index)); // a dead connection
      expect(answer).toHaveProperty('access');
    });
    const rows = await query(`select id, jti, key_thumbprint from auth_session where enabled and key_thumbprint <> ''`);
    const live = new Map(rows.map((row) => [row.id, [row.jti, row.key_thumbprint]]));
    expect(live.size).toBe(SESSIONS);
    for (const { stored, session, key } of clients) expect(live.get(session)).toEqual([claimsOf(stored).jti, key]);
  });
});

describe('a refresh with a proof, over HTTP', () => {
  async function signedUp(): Promise<BoundClient> {
    const client = await BoundClient.of(servers.first.app);
    expect((await client.register(`${crypto.randomUUID()}@example.com`)).status).toBe(201);
    return client;
  }

  test.each(FAULTS)('whose statement fails with "%s" is completed an hour later, with a new proof', async (fault) => {
    for (const statement of [ROTATE, USE_PROOF]) {
      const client = await signedUp();
      const parent = client.refreshToken;
      if (statement === USE_PROOF) {
        await client.refresh();
        client.refreshToken = parent; // its answer was lost
      }
      void proxy.fail(fault, statement as string);
      const dpop = await client.proof('POST', '/auth/refresh');
      expectUnavailable(await client.refresh({ dpop }));
      expect(proxy.disarm()).toBe(0);
      const { jti } = await rowOf(sessionOf(client));
      const isDone = fault !== 'lost before';
      if (isDone) expectProblem(await client.refresh({ dpop }), 401, 'dpop_proof_invalid'); // the same bytes again
      servers.advance(HOUR);
      expect((await client.refresh()).status).toBe(200);
      const row = await rowOf(sessionOf(client));
      expect(row).toMatchObject({ jti: claimsOf(client.refreshToken).jti, previous_jti: claimsOf(parent).jti });
      expect([row.enabled, row.jti === jti]).toEqual([true, isDone || statement === USE_PROOF]);
    }
  });

  test('that runs into the statement timeout consumes neither the token nor the proof', async () => {
    const { pool } = servers.first.app.database;
    const client = await signedUp();
    const { database } = (await pool.query('select current_database() as database')).rows[0];
    const before = await rowOf(sessionOf(client));
    const holder = await pool.connect();
    await holder.query('begin');
    await holder.query('select 1 from auth_session where id = $1 for update', [sessionOf(client)]);
    await pool.query(`alter database ${database} set statement_timeout = '200ms'`);
    proxy.cut(); // new connections have the limit
    const dpop = await client.proof('POST', '/auth/refresh');
    expectUnavailable(await client.refresh({ dpop }));
    await holder.query('commit');
    holder.release();
    await pool.query(`alter database ${database} reset statement_timeout`);
    proxy.cut();
    expect(await rowOf(sessionOf(client))).toEqual(before);
    expect((await client.refresh({ dpop })).status).toBe(200);
  });
});

describe('a database that has lost rotations of a bound session', () => {
  const recovered = () => servers.first.app.events.filter(({ reuse }) => reuse === 'recovered').length;

  /** A client of a session that was rotated twice since the state of the row that the database goes back to. */
  async function restored(isBound: boolean): Promise<BoundSessionClient> {
    const client = new BoundSessionClient(servers, (await servers.open(isBound ? OWNER : undefined)).refresh, OWNER);
    const row = await client.row();
    for (let times = 0; times < 2; times++) {
      servers.advance(60);
      await client.refresh();
    }
    await client.goBack({ ...client.state, row });
    await query('update auth_session set key_thumbprint = $2 where id = $1', client.session, row['key_thumbprint']);
    servers.first.app.events.length = 0;
    return client;
  }

  test.each([
    ['to the same key', true],
    ['to the key that it has lost', false],
  ])(
    'accepts the newer token with a proof only, binds %s, and gives parallel uses one successor',
    async (_what, isBound) => {
      const client = await restored(isBound);
      const row = await client.row();
      for (const proof of [undefined, servers.proofBy(THIEF)])
        expect(await servers.refresh(client.stored, proof)).toBe('dpop_proof_invalid');
      expect(await client.row()).toEqual(row);
      const tab = new BoundSessionClient(servers, client.stored, OWNER);
      for (const answer of await Promise.all([client.refresh(), tab.refresh()]))
        expect(answer).toHaveProperty('access');
      const { jti } = claimsOf(client.stored);
      expect([claimsOf(tab.stored).jti, recovered()]).toEqual([jti, 1]);
      expect(await client.row()).toMatchObject({ jti, enabled: true, key_thumbprint: OWNER });
      servers.advance(30 * HOUR);
      expect(await tab.refresh()).toHaveProperty('access');
      expect(await client.refresh()).toMatchObject({ refresh: tab.stored }); // its parent, a day later
    },
  );
});

test('of a hundred tabs that refresh in one second, those whose proof may be forgotten use a nonce, and all get one token', async () => {
  const owner = new BoundSessionClient(servers, (await servers.open(OWNER)).refresh, OWNER);
  const copied = owner.stored;
  await owner.refresh();
  let nonces = 0;
  const refresh = async (proof: Proof) => {
    const answer = await servers.refresh(copied, proof);
    if (answer !== 'use_dpop_nonce') return answer;
    const expiresAt = servers.now + 300_000 + ++nonces; // as with a nonce that was made in that millisecond
    return servers.refresh(copied, { ...servers.proofBy(OWNER), expiresAt });
  };
  const proofs = Array.from({ length: 100 }, () => servers.proofBy(OWNER)); // the first ones have the lowest stamps
  const answers: Outcome[] = [];
  for (let tab = proofs.length; tab > 0; tab -= 20)
    answers.push(
      ...(await Promise.all(
        proofs
          .slice(tab - 20, tab)
          .toReversed()
          .map(refresh),
      )),
    );
  expect(answers).toEqual(Array(100).fill(expect.objectContaining({ refresh: owner.stored })));
  expect(nonces).toBeGreaterThan(0);
  expect(await owner.row()).toMatchObject({ proofs: { length: 32 } });
});
