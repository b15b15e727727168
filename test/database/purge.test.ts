import { randomUUID } from 'node:crypto';
import { EntityCaseNamingStrategy } from '@mikro-orm/postgresql';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PurgeOptions, PurgeResult } from '../../src/index.js';
import { sentQueries } from '../support/query-count.js';
import { createOwner, sessionOf } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const LIFETIME = 30 * 60;
const SLACK = 60;

/** Without the pauses between statements, which take real time. */
const HURRY = { pause: async () => {} } satisfies PurgeOptions;

let app: TestApp;
let user: string;
beforeAll(async () => {
  // A statement that waits for a lock here fails at once and does not hang.
  app = await createTestApp({ orm: { driverOptions: { options: '-c lock_timeout=1s' } } });
});
afterAll(() => app.close());
beforeEach(async () => {
  await app.database.pool.query('truncate auth_session, auth_revocation, auth_counter');
  user = (await createOwner(app)).id;
  await app.database.pool.query('truncate auth_session');
});

/** The instant so many milliseconds after now, by the app's clock. */
const inMs = (milliseconds: number) => new Date(app.clock.now() + milliseconds);

/** Inserts sessions that expire at these instants, and returns their ids. */
async function insertSessions(expiries: readonly Date[], { enabled = true, owner = user } = {}): Promise<string[]> {
  const ids = expiries.map(() => randomUUID());
  await app.database.pool.query(
    `insert into auth_session (id, user_id, jti, rotated_at, enabled, created_at, expires_at)
     select id, $3, gen_random_uuid(), now(), $4, now(), expires_at from unnest($1::uuid[], $2::timestamptz[]) as given (id, expires_at)`,
    [ids, expiries, owner, enabled],
  );
  return ids;
}

async function insertRevocations(instants: readonly Date[]): Promise<void> {
  const sql =
    'insert into auth_revocation (revoked_at, session) select at, gen_random_uuid() from unnest($1::timestamptz[]) at';
  await app.database.pool.query(sql, [instants]);
}

async function insertAttempts(counters: Record<string, Date>): Promise<void> {
  const sql =
    'insert into auth_counter (key, count, resets_at) select k, 1, at from unnest($1::text[], $2::timestamptz[]) as given (k, at)';
  await app.database.pool.query(sql, [Object.keys(counters), Object.values(counters)]);
}

const rows = async (sql: string) => (await app.database.pool.query(sql)).rows;
const sessionIds = async () => (await rows('select id from auth_session order by id')).map(({ id }) => id);

describe('a purge', () => {
  test('deletes rows that have expired at this instant, and keeps rows that expire a millisecond later', async () => {
    const [, , ...kept] = await insertSessions([-1, 0, 1, 60_000].map(inMs));
    const [, keptRevoked] = await insertSessions([0, 1].map(inMs), { enabled: false });
    const oldest = -(LIFETIME + SLACK) * 1000;
    await insertRevocations([oldest - 1, oldest, oldest + 1, -1].map(inMs));
    await insertAttempts({ past: inMs(-1), now: inMs(0), soon: inMs(1) });

    const result = await app.auth.purge.run(HURRY);

    expect(result).toEqual({
      sessions: 3,
      revocations: 2,
      counters: 2,
      oneTimeKeys: 0,
      mails: 0,
      signUps: 0,
      challenges: 0,
    });
    expect(await sessionIds()).toEqual([...kept, keptRevoked].sort());
    expect(await rows('select key from auth_counter')).toEqual([{ key: 'soon' }]);
    const left = (await rows('select revoked_at from auth_revocation order by 1')).map(({ revoked_at }) => revoked_at);
    expect(left.slice(0, 2)).toEqual([oldest + 1, -1].map(inMs));
    expect(left.slice(2).map((at) => at >= inMs(0))).toEqual([true, true]); // of the deleted enabled sessions
    expect(await app.auth.purge.run(HURRY)).toEqual({
      sessions: 0,
      revocations: 0,
      counters: 0,
      oneTimeKeys: 0,
      mails: 0,
      signUps: 0,
      challenges: 0,
    });
  });

  test('as a dry run counts the same rows and changes nothing', async () => {
    await insertSessions([-1, 0, 1].map(inMs));
    await insertRevocations([-(LIFETIME + SLACK) * 1000, -1].map(inMs));
    await insertAttempts({ past: inMs(-1), soon: inMs(1) });
    const all = () =>
      Promise.all(
        ['auth_session', 'auth_revocation', 'auth_counter'].map((table) => rows(`select t.*, xmax from ${table} t`)),
      );
    const before = await all();

    expect(await app.auth.purge.run({ dryRun: true })).toEqual({
      sessions: 2,
      revocations: 1,
      counters: 1,
      oneTimeKeys: 0,
      mails: 0,
      signUps: 0,
      challenges: 0,
    });
    expect(await all()).toEqual(before);
    expect(await app.auth.purge.run(HURRY)).toEqual({
      sessions: 2,
      revocations: 1,
      counters: 1,
      oneTimeKeys: 0,
      mails: 0,
      signUps: 0,
      challenges: 0,
    });
  });

  test('deletes in batches, pauses after each, and reports its progress', async () => {
    await insertSessions(Array.from({ length: 25 }, () => inMs(-86_400_000)));
    await insertAttempts({ past: inMs(-1) });
    const progress: PurgeResult[] = [];
    const rests: number[] = [];
    const pause = async (milliseconds: number) => rests.push(milliseconds);
    const sent = await sentQueries(app.orm, () =>
      app.auth.purge.run({ batchSize: 10, pause, onProgress: (soFar) => progress.push(soFar) }),
    );

    expect(progress.map(({ sessions }) => sessions)).toEqual([10, 20, 25, 25]);
    expect(progress.at(-1)).toEqual({
      sessions: 25,
      revocations: 0,
      counters: 1,
      oneTimeKeys: 0,
      mails: 0,
      signUps: 0,
      challenges: 0,
    });
    const deletions = sent.filter(({ text }) => text.includes('delete from'));
    expect(deletions.map(({ values }) => values[3])).toEqual([10, 10, 10, 10]);
    expect(sent.filter(({ text }) => /^\s*(begin|start transaction)/i.test(text))).toEqual([]);
    expect(rests).toHaveLength(4);
    expect(rests.every((rest) => rest > 0)).toBe(true);
  });

  test('deletes all expired rows in large tables, whatever rows lie between them', async () => {
    await app.database.pool.query(
      `insert into auth_session (id, user_id, jti, rotated_at, enabled, created_at, expires_at)
       select gen_random_uuid(), $1, gen_random_uuid(), $2, true, $2, $2::timestamptz + case when n % 7 = 0 then 1 else -1 end * interval '1 day'
       from generate_series(1, 20000) n`,
      [user, inMs(0)],
    );
    const [size] = await rows('select count(distinct (ctid::text::point)[0])::int as pages from auth_session');
    expect(size.pages).toBeGreaterThan(2 * 128);

    expect((await app.auth.purge.run(HURRY)).sessions).toBe(20_000 - Math.floor(20_000 / 7));
    const [left] = await rows('select count(*)::int as count, min(expires_at) as soonest from auth_session');
    expect(left).toEqual({ count: Math.floor(20_000 / 7), soonest: inMs(86_400_000) });
  });

  test.each([0, -1, 1.5, Number.NaN])('with a batch size of %d is refused', async (batchSize) => {
    await insertSessions([inMs(-1)]);
    await expect(app.auth.purge.run({ batchSize })).rejects.toThrow(RangeError);
    expect(await sessionIds()).toHaveLength(1);
  });

  test('reads only the pages that it needs, with plans that are prepared once for all values', async () => {
    await insertSessions([inMs(-1)]);
    const sent = await sentQueries(app.orm, () => app.auth.purge.run(HURRY));
    const deletions = sent.filter(({ text }) => text.includes('delete from'));
    expect(deletions).toHaveLength(2); // there were no revocations, and so no pages, when that table was read
    const client = await app.database.pool.connect();
    try {
      await client.query('set plan_cache_mode = force_generic_plan');
      for (const [index, { text, values }] of deletions.entries()) {
        await client.query(`prepare looked_at_${index} as ${text}`);
        const literals = values.map((value) =>
          pg.escapeLiteral(value instanceof Date ? value.toISOString() : `${value}`),
        );
        const { rows: plan } = await client.query(`explain execute looked_at_${index}(${literals.join()})`);
        const lines = plan.map((line) => line['QUERY PLAN']).join('\n');
        expect(lines).toContain('Tid Range Scan');
        expect(lines).toMatch(/Tid Scan on auth_\w+ d/);
        expect(lines).not.toMatch(/Seq Scan|Index/);
      }
    } finally {
      client.release(true);
    }
  });
});

describe('a purge and rows that another transaction has locked', () => {
  /** Runs `work` while another transaction has run a statement, and then commits that. */
  async function whileHeld(statement: string, parameters: unknown[], work: () => Promise<void>): Promise<void> {
    const holder = await app.database.pool.connect();
    try {
      await holder.query('begin');
      await holder.query(statement, parameters);
      await work();
      await holder.query('commit');
    } finally {
      await holder.query('rollback'); // nothing, unless something failed
      holder.release();
    }
  }

  test('a locked session is skipped without waiting, and deleted the next time', async () => {
    const [held, free] = await insertSessions([-1, -1].map(inMs));
    await whileHeld('select 1 from auth_session where id = $1 for update', [held], async () => {
      expect((await app.auth.purge.run({ ...HURRY, batchSize: 1 })).sessions).toBe(1);
      expect(await sessionIds()).toEqual([held]);
    });
    expect(free).toBeDefined();
    expect((await app.auth.purge.run(HURRY)).sessions).toBe(1);
    expect(await sessionIds()).toEqual([]);
  });

  test('a session that a server with a slower clock is rotating survives', async () => {
    const [id] = await insertSessions([inMs(-1)]);
    await whileHeld('update auth_session set expires_at = $2 where id = $1', [id, inMs(60_000)], async () => {
      expect((await app.auth.purge.run(HURRY)).sessions).toBe(0);
    });
    expect((await app.auth.purge.run(HURRY)).sessions).toBe(0);
    expect(await sessionIds()).toEqual([id]);
  });

  test('a locked counter of failed logins is skipped without waiting', async () => {
    await insertAttempts({ held: inMs(-1), free: inMs(-1) });
    await whileHeld(`update auth_counter set count = 2 where key = 'held'`, [], async () => {
      expect((await app.auth.purge.run(HURRY)).counters).toBe(1);
    });
    expect(await rows('select key, count from auth_counter')).toEqual([{ key: 'held', count: 2 }]);
  });

  test('sessions survive exactly if they were rotated first, 300 times by a server whose clock is behind', async () => {
    const slow = await createTestApp({ database: app.database });
    slow.clock.advance((app.clock.now() - slow.clock.now()) / 1000 - 5);
    const outcomes = { rotated: 0, purged: 0 };
    for (let round = 0; round < 30; round++) {
      const owner = await createOwner(slow);
      const clients = [owner.client, ...(await Promise.all(Array.from({ length: 9 }, () => owner.another())))];
      await app.database.pool.query('update auth_session set expires_at = $1 where user_id = $2', [
        inMs(-1000),
        owner.id,
      ]);
      const purging = app.auth.purge.run({ ...HURRY, batchSize: 1 + (round % 3) });
      const answers = await Promise.all(clients.map((client) => client.copy()).map((client) => client.refresh()));
      await purging;
      await app.auth.purge.run(HURRY); // deletes the rows that were locked during the first run
      const left = await sessionIds();
      for (const [index, { status }] of answers.entries()) {
        const isLeft = left.includes(sessionOf(clients[index] as (typeof clients)[0]));
        expect([status, isLeft]).toEqual(status === 200 ? [200, true] : [401, false]);
        outcomes[status === 200 ? 'rotated' : 'purged']++;
      }
    }
    expect(outcomes.rotated + outcomes.purged).toBe(300);
    expect(Math.min(outcomes.rotated, outcomes.purged)).toBeGreaterThan(0);
    await slow.close();
  });

  test('no live session is lost to a purge that runs continuously', async () => {
    const owners = await Promise.all(Array.from({ length: 8 }, () => createOwner(app)));
    let isOver = false;
    const purges = (async () => {
      let count = 0;
      while (!isOver) {
        await insertSessions(Array.from({ length: 50 }, () => inMs(-1)));
        count += (await app.auth.purge.run({ ...HURRY, batchSize: 20 })).sessions;
      }
      return count;
    })();
    for (let round = 0; round < 40; round++) {
      const answers = await Promise.all(owners.map(({ client }) => client.refresh()));
      expect(answers.map(({ status }) => status)).toEqual(owners.map(() => 200));
    }
    isOver = true;
    expect(await purges).toBeGreaterThan(0);
    expect(await sessionIds()).toEqual(owners.map(({ client }) => sessionOf(client)).sort());
  });
});

test('two purges at the same time delete each expired row once, and neither fails', async () => {
  await insertSessions(Array.from({ length: 400 }, (_, index) => inMs(index % 4 === 0 ? 60_000 : -86_400_000)));
  await insertAttempts(Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`past${index}`, inMs(-1)])));
  const batches = [0, 0];
  const purge = (index: 0 | 1) =>
    app.auth.purge.run({ ...HURRY, batchSize: 7, onProgress: () => (batches[index] = (batches[index] ?? 0) + 1) });
  const [one, other] = await Promise.all([purge(0), purge(1)]);
  const left = await app.auth.purge.run(HURRY);
  const sum = (of: 'sessions' | 'counters') => one[of] + other[of] + left[of];
  expect([sum('sessions'), sum('counters')]).toEqual([300, 100]);
  expect(Math.min(...batches)).toBeGreaterThan(2); // they did run side by side
  expect([await sessionIds(), await rows('select 1 from auth_counter')].map(({ length }) => length)).toEqual([100, 0]);
});

test('a deleted session whose access tokens may still be valid is revoked, and the other servers are notified', async () => {
  const listener = await app.database.pool.connect();
  const received: string[] = [];
  const channels = await rows(
    `select 'jwt_allauth_' || left(encode(sha256('"public"."auth_revocation"'), 'hex'), 16) as name`,
  );
  listener.on('notification', ({ payload }) => received.push(payload ?? ''));
  await listener.query(`listen ${channels[0].name}`);

  const good = await insertSessions([0, -(LIFETIME + SLACK) * 1000 + 1].map(inMs));
  await insertSessions([-(LIFETIME + SLACK) * 1000, -86_400_000].map(inMs)); // their access tokens have expired
  await insertSessions([0].map(inMs), { enabled: false }); // revoked already
  await insertSessions([1].map(inMs)); // live
  expect((await app.auth.purge.run({ dryRun: true })).sessions).toBe(5);
  expect((await app.auth.purge.run(HURRY)).sessions).toBe(5);

  const listed = await rows('select session, revoked_at from auth_revocation order by session');
  expect(listed.map(({ session }) => session)).toEqual(good.sort());
  for (const { revoked_at } of listed) expect(revoked_at >= inMs(0)).toBe(true); // the database's clock goes on
  await app.database.pool.query(`notify ${channels[0].name}, 'the end'`);
  while (!received.includes('the end')) await listener.query('select 1');
  expect(received.slice(0, -1).sort()).toEqual(good);
  listener.release(true);
});

test('a session table in partitions is purged in all of them', async () => {
  const whole = app;
  app = await createTestApp({ isPartitioned: true });
  try {
    const kept: string[] = [];
    for (let index = 0; index < 40; index++) {
      const { id } = await createOwner(app);
      const [, , live] = await insertSessions([-1, 0, 1].map(inMs), { owner: id });
      if (live) kept.push(live);
    }
    const [spread] = await rows(
      'select count(distinct tableoid)::int as parts from auth_session where expires_at <= now()',
    );
    expect(spread.parts).toBeGreaterThan(8);
    const before = await sessionIds();
    const progress: number[] = [];
    const onProgress = ({ sessions }: PurgeResult) => progress.push(sessions);
    const { sessions } = await app.auth.purge.run({ ...HURRY, batchSize: 7, onProgress });
    expect(sessions).toBe(80);
    expect(progress.map((count, index) => count - (progress[index - 1] ?? 0)).every((count) => count <= 7)).toBe(true);
    expect(before).toHaveLength(160);
    const opened = (await rows("select id from auth_session where expires_at > now() + interval '1 day'")).length;
    expect(opened).toBe(40);
    expect(await sessionIds()).toEqual(expect.arrayContaining(kept));
    expect(await sessionIds()).toHaveLength(80);
  } finally {
    await app.close();
    app = whole;
  }
});

test('the purge uses the app’s schema and its column names', async () => {
  const orm = { schema: 'tenant', namingStrategy: EntityCaseNamingStrategy };
  const other = await createTestApp({ orm, isPartitioned: false }); // the partitions are for the default schema
  const owner = await createOwner(other);
  expect(await owner.another()).toBeDefined();
  other.clock.advance(14 * 86_400);
  expect(await other.auth.purge.run({ dryRun: true })).toMatchObject({ sessions: 2 });
  expect(await other.auth.purge.run(HURRY)).toEqual({
    sessions: 2,
    revocations: 0,
    counters: 0,
    oneTimeKeys: 0,
    mails: 0,
    signUps: 0,
    challenges: 0,
  });
  const { rows: left } = await other.database.pool.query(
    'select (select count(*) from tenant.auth_session)::int as sessions, (select count(*) from tenant.auth_revocation)::int as revocations',
  );
  expect(left).toEqual([{ sessions: 0, revocations: 2 }]);
  await other.close();
});
