import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { inject } from 'vitest';
import * as testing from '../../src/testing/index.js';

/** Milliseconds after which no more statements are expected to wait for a lock. */
const BLOCKED_MILLISECONDS = 20_000;
const POLL_MILLISECONDS = 1;

/** A database that lives as long as one test app. */
export interface TestDatabase extends testing.TestDatabase {
  /** Additional connections, to read rows and to hold locks. */
  readonly pool: pg.Pool;
}

/** Creates an empty database on the server of this run. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { url, drop } = await testing.createTestDatabase(inject('databaseUrl'));
  const pool = new pg.Pool({ connectionString: url, max: 20 });
  pool.on('error', () => {}); // the server may stop before it
  return {
    url,
    pool,
    drop: async () => {
      await pool.end();
      await drop();
    },
  };
}

/** Waits until this number of statements on the database wait for a lock. @throws Error if they do not come */
export async function waitForBlocked(pool: pg.Pool, count: number): Promise<void> {
  const latest = performance.now() + BLOCKED_MILLISECONDS;
  for (;;) {
    const { rows } = await pool.query(
      `select count(*)::int as blocked from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    if (rows[0].blocked >= count) return;
    if (performance.now() > latest) throw new Error(`${rows[0].blocked} statements wait for a lock, and not ${count}`);
    await setTimeout(POLL_MILLISECONDS);
  }
}
