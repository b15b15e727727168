import { pathToFileURL } from 'node:url';
import { resolveFrom } from './installed-package.js';

/** The part of a pg client that is used here. */
interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
  end(): Promise<void>;
}

interface Driver {
  readonly Client: new (config: {
    connectionString: string;
  }) => PostgresClient & { connect(): Promise<unknown>; on(event: 'error', listener: () => void): unknown };
}

/**
 * Opens a connection with the pg driver that MikroORM depends on. A connection that the server closes is not an error.
 */
export async function connectTo(url: string): Promise<PostgresClient> {
  const mikroOrm = resolveFrom(import.meta.url, '@mikro-orm/postgresql');
  const driver = mikroOrm && resolveFrom(mikroOrm, 'pg');
  if (!driver) throw new Error('The package @mikro-orm/postgresql is not installed, or not with its driver pg.');
  const pg: { default: Driver } = await import(pathToFileURL(driver).href);
  const client = new pg.default.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}
