import type { TestProject } from 'vitest/node';
import { startTestPostgres } from '../../src/testing/index.js';

declare module 'vitest' {
  interface ProvidedContext {
    databaseUrl: string;
  }
}

/**
 * One PostgreSQL for the whole run: DATABASE_URL, or one that npm brought. Every test app makes a database of its own
 * there.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env.DATABASE_URL;
  if (given) {
    project.provide('databaseUrl', given);
    return async () => {};
  }
  const server = await startTestPostgres({ max_connections: '400' });
  project.provide('databaseUrl', server.url);
  return () => server.stop();
}
