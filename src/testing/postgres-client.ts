import { pathToFileURL } from 'node:url';
import { resolveFrom } from './installed-package.js';

/** What is needed of a client of pg. */
interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
  end(): Promise<void>;
}

interface Driver {
  readonly Client: new (config: {
    connectionString: string;
  }) => PostgresClient & { connect(): Promise<unknown>; on(event: 'error', listener: () => void): unknown };
}

/** Opens a connection of its own, with the pg that MikroORM brings. That the server hangs up on it is no error. */
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
