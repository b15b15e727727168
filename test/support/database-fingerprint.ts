import type { TestDatabase } from './test-database.js';

/**
 * A value that changes with any row of the users, their accounts, the sessions or the counters: two equal values mean
 * that nothing changed.
 */
export async function fingerprint({ pool }: TestDatabase, userTable = 'app_user'): Promise<string> {
  const hash = (table: string) =>
    `(select md5(coalesce(string_agg(t::text, ',' order by t::text), '')) from ${table} t)`;
  const tables = [userTable, 'auth_account', 'auth_session', 'auth_counter'];
  const { rows } = await pool.query(`select concat_ws(' ', ${tables.map(hash).join(', ')}) as fingerprint`);
  return rows[0].fingerprint;
}

/** For each table, a value that changes with any of its rows. */
export async function fingerprintOfAll({ pool }: TestDatabase): Promise<Record<string, string>> {
  const tables = await pool.query(`select tablename as name from pg_tables where schemaname = 'public' order by 1`);
  const hash = (name: string) =>
    `select '${name}' as name, md5(coalesce(string_agg(t::text, ',' order by t::text), '')) as hash from "${name}" t`;
  const { rows } = await pool.query(tables.rows.map(({ name }) => hash(name)).join(' union all '));
  return Object.fromEntries(rows.map(({ name, hash }) => [name, hash]));
}
