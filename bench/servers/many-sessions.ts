import pg from 'pg';
import type { BaseUser, TokenFactory } from '../../src/index.js';
import { DATABASE_URL } from './serve.js';

/** Number of tokens over which the load is spread, so that it does not always write the same few pages. */
const SAMPLE = 5000;

/**
 * Fills the session table with COPY and issues the live refresh tokens of a sample. The sessions are spread evenly over
 * the users; every tenth is expired. PostgreSQL must be able to write to BENCH_DIRECTORY.
 */
export async function addSessions(count: number, users: readonly BaseUser[], tokens: TokenFactory): Promise<string[]> {
  const openedAt = Math.floor(Date.now() / 1000);
  const expiresAt = openedAt + 14 * 86_400;
  const file = `${process.env['BENCH_DIRECTORY']}/sessions-${process.pid}.copy`;
  const owners = `array[${users.map(({ id }) => `'${id}'`).join()}]::uuid[]`;
  const client = new pg.Client({ connectionString: DATABASE_URL });
  await client.connect();
  await client.query(`copy (
    select md5(n::text)::uuid, (${owners})[1 + n % ${users.length}], gen_random_uuid(), to_timestamp(${openedAt}) - age, true,
      to_timestamp(${openedAt}) - age, to_timestamp(${expiresAt}) - age
    from generate_series(1, ${count}) n, lateral (select case when n % 10 = 0 then interval '30 days' else '0' end as age) aged) to '${file}' (format binary)`);
  await client.query('set session_replication_role = replica'); // the foreign keys are valid: skips the check of each row
  await client.query(`copy auth_session (id, user_id, jti, rotated_at, enabled, created_at, expires_at)
    from '${file}' (format binary)`);
  await client.query('vacuum analyze auth_session');
  await client.query('checkpoint');
  const { rows } = await client.query<{ id: string; user: string; jti: string }>(
    `select id, user_id as user, jti from auth_session where id in
      (select ${sessionId(String(count))} from generate_series(1, ${SAMPLE}))`,
  );
  await client.end();
  const owner = new Map(users.map((user) => [user.id, user]));
  const refresh: string[] = [];
  const worth = { amr: [], authTime: openedAt, claims: {} };
  for (const { id, user, jti } of rows) {
    const session = { id, jti, openedAt, issuedAt: openedAt, expiresAt, ...worth };
    const prepared = await tokens.prepare(owner.get(user) as BaseUser, { session });
    refresh.push(tokens.sign(prepared, session).refresh);
  }
  return refresh;
}

/** SQL for the id of a random one of `count` sessions that has not expired. */
export function sessionId(count: string): string {
  return `md5((10 * floor(random() * ${count} / 10) + 1 + floor(random() * 9))::int::text)::uuid`;
}
