import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import type * as testing from '../../src/testing/index.js';
import { addNodes, blockedOnNodes, dropOnWorkers, testPlacement } from './citus.js';

/** Seconds after which no more statements are expected to wait for a lock. */
const BLOCKED_SECONDS = 20;

/** A database that lives as long as one test app. */
export interface TestDatabase extends testing.TestDatabase {
  /** The same database as apps use it: over the Unix socket of the server, if it has one, or through PgBouncer. */
  readonly appUrl: string;
  /** Additional connections, to read rows and to hold locks. */
  readonly pool: pg.Pool;
}

/**
 * Creates a database on the server of this run.
 *
 * @param template the database to copy; default: the new one is empty
 */
export async function createTestDatabase(template?: string): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await administrate(`create database ${name} ${template ? `template ${template}` : ''} ${inject('copying')}`);
  if (testPlacement()) await addNodes(inject('nearDatabaseUrl'), name);
  const [url = '', nearUrl = '', appUrl = ''] = [
    inject('databaseUrl'),
    inject('nearDatabaseUrl'),
    inject('appDatabaseUrl'),
  ].map((server) => urlOf(server, name));
  const pool = new pg.Pool({ connectionString: nearUrl, max: 20 });
  pool.on('error', () => {}); // the server may stop before it
  return {
    url,
    appUrl,
    pool,
    drop: async () => {
      await pool.end();
      await administrate(waitForLeaving(name));
      await administrate(`drop database ${name} with (force)`);
      if (testPlacement()) await dropOnWorkers(inject('nearDatabaseUrl'), name);
    },
  };
}

/**
 * Waits, for a moment, until connections that have been closed have ended on the server as well: if `drop database`
 * finds one, it sleeps for a tenth of a second.
 */
const waitForLeaving = (name: string) => `
  do $$
  declare
    own constant oid := (select oid from pg_database where datname = '${name}');
  begin
    for look in 1..20 loop
      perform pg_stat_clear_snapshot();
      exit when not exists (select from pg_stat_get_activity(null) where datid = own);
      perform pg_sleep(0.001);
    end loop;
  end $$`;

/** Kept for all files of a process. */
const kept = globalThis as { testTemplate?: Promise<string>; admin?: pg.Pool };

/** The name of a database that has been prepared once in this process, for others to copy. */
export function templateDatabase(prepare: (url: string) => Promise<void>): Promise<string> {
  kept.testTemplate ??= (async () => {
    const name = `${inject('templatePrefix')}${process.pid}`;
    await administrate(`create database ${name}`);
    await prepare(urlOf(inject('nearDatabaseUrl'), name));
    return name;
  })();
  return kept.testTemplate;
}

function urlOf(server: string, database: string): string {
  return Object.assign(new URL(server), { pathname: `/${database}` }).href;
}

async function administrate(statement: string): Promise<void> {
  kept.admin ??= new pg.Pool({ connectionString: inject('nearDatabaseUrl'), max: 2, allowExitOnIdle: true })
    // The server may stop before it.
    .on('error', () => {});
  await kept.admin.query(statement);
}

/**
 * Waits until this number of statements on the database wait for a lock. The server looks, once a millisecond: thousands
 * of rounds of races wait, and each look of a client would cost both processes ten times as much.
 *
 * @throws Error if they do not come
 */
export async function waitForBlocked(pool: pg.Pool, count: number): Promise<void> {
  if (testPlacement()) {
    const latest = Date.now() + BLOCKED_SECONDS * 1000;
    while ((await blockedOnNodes(pool)) < count)
      if (Date.now() > latest) throw new Error(`less than ${count} statements wait for a lock`);
    return;
  }
  await pool.query(`
    do $$
    declare
      latest constant timestamptz := clock_timestamp() + interval '${BLOCKED_SECONDS} seconds';
      own constant oid := (select oid from pg_database where datname = current_database());
      blocked int;
    begin
      loop
        perform pg_stat_clear_snapshot();
        select count(*) into blocked from pg_stat_get_activity(null) where datid = own and wait_event_type = 'Lock';
        exit when blocked >= ${count};
        if clock_timestamp() > latest then
          raise '% statements wait for a lock, and not ${count}', blocked;
        end if;
        perform pg_sleep(0.001);
      end loop;
    end $$`);
}
