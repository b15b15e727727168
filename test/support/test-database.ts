import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';

/** A database that lives as long as one test app. */
export interface TestDatabase {
  readonly url: string;
  /** Connections beside those of the app, to look at rows and to hold locks. */
  readonly pool: pg.Pool;
  drop(): Promise<void>;
}

/** Makes an empty database on the server of this run. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const server = inject('databaseUrl');
  const name = `test_${randomBytes(8).toString('hex')}`;
  await administrate(server, `create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const pool = new pg.Pool({ connectionString: url.href, max: 20 });
  pool.on('error', () => {}); // the server may be stopped under it
  return {
    url: url.href,
    pool,
    drop: async () => {
      await pool.end();
      await administrate(server, `drop database ${name} with (force)`);
    },
  };
}

async function administrate(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statement);
  await client.end();
}

/** Waits until so many statements on this database are waiting for a lock. */
export async function waitForBlocked(pool: pg.Pool, count: number): Promise<void> {
  for (;;) {
    const { rows } = await pool.query(
      `select count(*)::int as blocked from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    if (rows[0].blocked >= count) return;
  }
}
