import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DatabaseChecks } from '../../src/cli/database-checks.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { sentQueries } from '../support/query-count.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';
import { waitForBlocked } from '../support/test-database.js';

const HURRY = { pause: async () => {} };

const rowsOf = async ({ database }: TestApp, sql: string) => (await database.pool.query(sql)).rows;

/** What `check` says about placement and addresses. */
async function checked(app: TestApp) {
  const findings = await new DatabaseChecks(app.orm, app.auth.settings).run();
  const of = (wanted: string) => findings.find(({ name }) => name === wanted);
  const [placement, addresses] = [of('placement'), of('address-index')];
  return { placement: [placement?.status, placement?.message], addresses: [addresses?.status, addresses?.message] };
}

const invite = (by: TestClient, email: string) =>
  by.send('POST', '/auth/registration/user-register', { email, role: 0 }, by.bearer);

/** Signs up an administrator. */
async function administrator(app: MailApp): Promise<TestClient> {
  const client = await app.signedUp('admin@example.com');
  await app.database.pool.query(`update app_user set role = 1000 where email = 'admin@example.com'`);
  return client;
}

describe.each([
  {
    placement: 'a' as const,
    users: { placed: 'app_user', kind: 'n', by: null },
    finding: 'Citus has the users on each node, and sessions by user',
    index: 'a unique index allows each address only once',
    placed: ['auth_account', 'auth_session'],
  },
  {
    placement: 'b' as const,
    users: { placed: 'app_user', kind: 'h', by: 'id' },
    finding: 'Citus has users and sessions by user. Addresses stay unique if all servers use one coordinator',
    index: 'look-ups by address use an index; sign-ups lock the address',
    placed: ['auth_account', 'auth_challenge', 'auth_one_time_key', 'auth_session'],
  },
])('after the documented migration to placement ($placement)', ({ placement, users, finding, index, placed }) => {
  let app: MailApp;
  beforeAll(async () => {
    app = await createMailApp({ emailVerification: 'optional', invitations: true }, { placement });
  });
  afterAll(() => app.close());

  test('each table with a user is placed by the user, its primary key begins with the user, and keys are kept', async () => {
    const tables = await rowsOf(
      app,
      `select logicalrelid::text as placed, partmethod as kind, partkey as by from pg_dist_partition order by 1`,
    );
    const byUser = placed.map((name) => ({ placed: name, kind: 'h', by: 'user_id' }));
    expect(tables).toEqual([users, ...byUser, { placed: 'organization', kind: 'n', by: null }]);
    const [{ spread }] = await rowsOf(
      app,
      `select count(distinct colocationid)::int as spread from pg_dist_partition where partmethod = 'h'`,
    );
    expect(spread).toBe(1);
    const keys = await rowsOf(
      app,
      `select conrelid::regclass::text as name, pg_get_constraintdef(oid) as key from pg_constraint
       where contype = 'p' and conrelid = any (select logicalrelid from pg_dist_partition where partmethod = 'h')`,
    );
    for (const { name, key } of keys)
      expect(key, name).toMatch(name === 'app_user' ? /^PRIMARY KEY \(id/ : /^PRIMARY KEY \(user_id/);
    const [{ cascading }] = await rowsOf(
      app,
      `select count(*)::int as cascading from pg_constraint
       where contype = 'f' and confrelid = 'app_user'::regclass and confdeltype = 'c'`,
    );
    expect(cascading).toBe(4);
  });

  test('check says which placement it has found, and fails if a table is not colocated', async () => {
    expect(await checked(app)).toEqual({ placement: ['ok', finding], addresses: ['ok', index] });
    await app.database.pool.query(
      `update pg_dist_partition set colocationid = 9 where logicalrelid::text = 'auth_account'`,
    );
    const { placement: unsound } = await checked(app);
    await app.database.pool.query(`delete from pg_dist_partition where logicalrelid::text = 'auth_session'`);
    const { placement: missing } = await checked(app);
    expect([unsound[0], missing[0]]).toEqual(['failed', 'failed']);
    expect(unsound[1]).toMatch(/^\S*"auth_account" is not colocated with \S+: see /);
    expect(missing[1]).toContain('"auth_session" is not distributed by "user_id"');
    await app.database.pool.query(`delete from pg_dist_partition where logicalrelid::text = 'auth_account'`);
    await app.database.pool.query(
      `insert into pg_dist_partition select name::regclass, 'h', 'user_id', coalesce(
         (select max(colocationid) from pg_dist_partition where partmethod = 'h'), 2), 's'
       from unnest(array['auth_session', 'auth_account']) name`,
    );
  });

  test('sessions are opened, refreshed and purged: as many as the dry run has counted, in batches, with revocations', async () => {
    const client = await app.signedUp('ada@example.com');
    for (let login = 0; login < 9; login++) await app.client().login('ada@example.com');
    expect((await client.refresh()).status).toBe(200);
    const sessions = await rowsOf(app, 'select id from auth_session');
    await app.database.pool.query(`update auth_session set expires_at = $1`, [new Date(app.clock.now())]);
    const { sessions: counted } = await app.auth.purge.run({ dryRun: true });
    const progress: number[] = [];
    const onProgress = (soFar: { sessions: number }) => progress.push(soFar.sessions);
    const { sessions: deleted } = await app.auth.purge.run({ ...HURRY, batchSize: 4, onProgress });
    expect([counted, deleted]).toEqual([sessions.length, sessions.length]);
    expect(progress.slice(0, 2)).toEqual([4, 8]);
    expect(await rowsOf(app, 'select id from auth_session')).toEqual([]);
    const revoked = (await rowsOf(app, 'select session from auth_revocation')).map(({ session }) => session);
    expect(revoked.sort()).toEqual(sessions.map(({ id }) => id).sort());
  });

  test('a session that is rotated while the purge waits for it stays, and the others are deleted in the same run', async () => {
    await app.database.pool.query('truncate auth_session');
    const client = await app.signedUp();
    const { rows: users } = await app.database.pool.query('select user_id, jti from auth_session');
    await app.database.pool.query(
      `insert into auth_session (id, user_id, jti, rotated_at, created_at, expires_at)
       select gen_random_uuid(), $1, $2, now(), now(), $3::timestamptz from generate_series(1, 3)`,
      [users[0].user_id, users[0].jti, new Date(app.clock.now())],
    );
    const holder = await app.database.pool.connect();
    await holder.query('begin');
    const rotate = `update auth_session set expires_at = $1::timestamptz + interval '1 day'
      where ctid = (select min(ctid) from auth_session where expires_at <= $1)`;
    expect((await holder.query(rotate, [new Date(app.clock.now())])).rowCount).toBe(1);
    const purge = app.auth.purge.run({ ...HURRY, batchSize: 2 });
    await waitForBlocked(app.database.pool, 1);
    await holder.query('commit');
    holder.release();
    expect(await purge).toMatchObject({ sessions: 2 });
    expect(await rowsOf(app, 'select id from auth_session')).toHaveLength(2);
    expect((await client.refresh()).status).toBe(200);
  });

  test.each(['another sign-up', 'an invitation'])('of a sign-up and %s with one address, one wins', async (rival) => {
    const staff = rival === 'an invitation' ? await administrator(app) : app.client();
    const email = `${rival.length}@example.com`;
    const holder = await app.database.pool.connect();
    await holder.query('begin');
    await holder.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [email]);
    const signUps = [
      app.client().register(email),
      rival === 'an invitation' ? invite(staff, email) : app.client().register(email),
    ];
    await waitForBlocked(app.database.pool, 2);
    await holder.query('commit');
    holder.release();
    const answers = await Promise.all(signUps);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
    expect(answers.find(({ status }) => status === 409)?.body).toMatchObject({ code: 'email_already_registered' });
    expect(await rowsOf(app, `select 1 from app_user where email = '${email}'`)).toHaveLength(1);
  });
});

describe('on one node', () => {
  test.each([
    [false, 'the sessions are in one table'],
    [true, 'the sessions are in 16 partitions'],
  ])('check says how the sessions are stored, in partitions: %s', async (isPartitioned, message) => {
    const app = await createTestApp({ isPartitioned });
    expect((await checked(app)).placement).toEqual(['ok', message]);
    await app.close();
  });

  test('a purge of a table whose rows PostgreSQL stores elsewhere fails, and does not say that nothing was left', async () => {
    const app = await createTestApp();
    await app.signedUp();
    await app.database.pool.query(`
      alter table auth_counter rename to elsewhere;
      create view auth_counter as select * from elsewhere;
      insert into elsewhere (key, count, resets_at) values ('a', 1, 'epoch')`);
    expect(await app.auth.purge.run({ dryRun: true })).toMatchObject({ counters: 1 });
    await expect(app.auth.purge.run(HURRY)).rejects.toThrow(/^cannot purge \S*"auth_counter": /);
    expect(await rowsOf(app, 'select key from elsewhere')).toEqual([{ key: 'a' }]);
    await app.close();
  });
});

test('no statement has a form that Citus refuses on the tables of a user', async () => {
  const app = await createMailApp({ emailVerification: 'optional', invitations: true });
  const sent = await sentQueries(app.orm, async () => {
    const staff = await administrator(app);
    expect((await invite(staff, 'eve@example.com')).status).toBe(201);
    await app.open(await app.linkTo('eve@example.com'));
    app.clock.advance(400 * 86_400);
    expect((await app.client().register('eve@example.com')).status).toBe(201); // the invitation has expired
    await app.open(await app.linkTo('eve@example.com', 2));
    const client = app.client();
    expect((await client.login('admin@example.com', PASSWORD)).status).toBe(200);
    expect((await client.refresh()).status).toBe(200);
    await app.auth.purge.run(HURRY);
  });
  const texts = [...new Set(sent.map(({ text }) => text))].filter((text) =>
    /"(app_user|auth_session|auth_account|auth_one_time_key|auth_challenge)"/.test(text),
  );
  expect(texts.length).toBeGreaterThan(20);
  for (const text of texts) {
    expect(text).not.toMatch(/\(\s*select from/);
    const locked = /from "app_user"[^()]*\bfor (?:key share|share|update|no key update)/.exec(text)?.[0] ?? '';
    expect(locked).not.toMatch(/for (key )?share|join/);
    for (const [, returned = ''] of text.matchAll(/returning([^)]*(?:\([^)]*\)[^)]*)*)/g)) {
      expect(returned).not.toMatch(/interval|now\(/);
      if (/'epoch'|extract/.test(returned)) expect(returned).toMatch(/at time zone 'UTC'/);
    }
  }
  await app.close();
});
