import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../../src/testing/free-port.js';
import { isRoot } from '../../src/testing/postgres-binaries.js';

/** A running PgBouncer. */
export interface Pooler {
  /** The URL of a database through it. */
  urlOf(direct: string): string;
  stop(): Promise<void>;
}

/**
 * Starts PgBouncer in front of all databases of a server. It shares connections between transactions.
 *
 * @param folder where its configuration is written
 * @param poolSize connections to PostgreSQL for each database
 */
export async function startPgBouncer(server: string, folder: string, poolSize: number): Promise<Pooler> {
  const { hostname, port, username, password } = new URL(server);
  const ownPort = await freePort();
  const configuration = join(folder, `pgbouncer-${ownPort}.ini`);
  writeFileSync(
    configuration,
    `[databases]
* = host=${decodeURIComponent(hostname)} port=${port || 5432} user=${username} password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${ownPort}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 1000
`,
    { mode: 0o600 },
  );
  // It refuses to run as root, and reads the configuration before it changes the user.
  const child = spawn('pgbouncer', [...(isRoot ? ['-u', 'nobody'] : []), configuration], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const failed = once(child, 'exit').then(([code]) => Promise.reject(new Error(`PgBouncer ended with ${code}`)));
  failed.catch(() => {});
  const lines = createInterface(child.stderr);
  const started = new Promise<void>((resolve) => {
    lines.on('line', (line) => line.includes('process up') && resolve());
  });
  await Promise.race([started, failed]);
  return {
    urlOf: (direct) => Object.assign(new URL(direct), { hostname: '127.0.0.1', port: String(ownPort) }).href,
    stop: async () => {
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}
