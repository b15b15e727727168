import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startTestPostgres } from '../../src/testing/index.js';
import { startPgBouncer } from './pgbouncer.js';
import { removeStaleFolders } from './stale-folders.js';

declare module 'vitest' {
  interface ProvidedContext {
    databaseUrl: string;
    /** The same server over its Unix socket, which costs less; the same URL if the server has no socket. */
    nearDatabaseUrl: string;
    /** The URL that apps use: through PgBouncer if TEST_PGBOUNCER is set, else the near one. */
    appDatabaseUrl: string;
    /** A folder of the run, for what its processes share. */
    sharedFolder: string;
    /** How the names of the databases begin that test apps copy. */
    templatePrefix: string;
    /** The option of `create database` that says how its template is copied. */
    copying: '' | 'strategy file_copy';
  }
}

/** A folder in memory on Linux: creating a database there takes a fifth of the time. */
export const MEMORY = '/dev/shm';
const ROOM_BYTES = 4 * 2 ** 30;

/** The name of a socket has at most 103 bytes on every system, of which PostgreSQL adds the last 20. */
const LONGEST_SOCKET_FOLDER = 80;

/**
 * The data need not survive a crash, and no standby follows. Every new database needs a checkpoint, which reads all
 * buffers, and after which PostgreSQL would log whole pages. Together these save a tenth of the CPU time of a run.
 */
const SETTINGS = {
  max_connections: '400',
  unix_socket_directories: '.',
  full_page_writes: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  shared_buffers: '32MB',
};

/** Enough for the statements of one test that wait for a lock. */
const POOLED_CONNECTIONS = 60;

/** A database server and a folder, with compiled code among others, for the whole run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  for (const folder of [tmpdir(), MEMORY]) removeStaleFolders(folder);
  const shared = mkdtempSync(join(tmpdir(), 'jwt-allauth-run-'));
  process.env['NODE_COMPILE_CACHE'] = join(shared, 'node');
  project.provide('sharedFolder', shared);
  const stop = await startDatabases(project, shared);
  return async () => {
    await stop();
    rmSync(shared, { recursive: true, force: true });
  };
}

/**
 * One PostgreSQL for the whole run: DATABASE_URL, or one that npm installed. Every test app creates its own database
 * there.
 */
async function startDatabases(project: TestProject, shared: string): Promise<() => Promise<void>> {
  const given = process.env.DATABASE_URL;
  const prefix = `test_template_${randomBytes(4).toString('hex')}_`;
  project.provide('templatePrefix', prefix);
  if (given) {
    project.provide('databaseUrl', given);
    project.provide('nearDatabaseUrl', given);
    project.provide('copying', '');
    const stopPooler = await startPooler(project, given, given, shared);
    return async () => {
      await stopPooler();
      await dropDatabases(given, prefix);
    };
  }
  const folder = tmpdir();
  process.env.TMPDIR = hasRoom(MEMORY) ? MEMORY : folder;
  const server = await startTestPostgres(SETTINGS);
  process.env.TMPDIR = folder; // the tests write to the disk
  await shortenLogin(server.url);
  const nearUrl = await openSocket(server.url);
  project.provide('databaseUrl', server.url);
  project.provide('nearDatabaseUrl', nearUrl);
  const stopPooler = await startPooler(project, server.url, nearUrl, shared);
  // A third of the CPU time of a copy through the write-ahead log. The checkpoints that it needs cost nothing, because
  // this server never syncs.
  project.provide('copying', 'strategy file_copy');
  return async () => {
    await stopPooler();
    await server.stop();
  };
}

/** Lets the apps connect through PgBouncer, if TEST_PGBOUNCER is set. */
async function startPooler(
  project: TestProject,
  url: string,
  nearUrl: string,
  shared: string,
): Promise<() => Promise<void>> {
  const pooler = process.env['TEST_PGBOUNCER'] ? await startPgBouncer(url, shared, POOLED_CONNECTIONS) : undefined;
  project.provide('appDatabaseUrl', pooler?.urlOf(url) ?? nearUrl);
  return async () => pooler?.stop();
}

/**
 * Logging in computes one hash instead of 4,096: a run opens thousands of connections, and no attacker guesses the random
 * password.
 */
async function shortenLogin(url: string): Promise<void> {
  await query(url, 'set scram_iterations = 1', `alter user postgres password '${new URL(url).password}'`);
}

/**
 * Lets programs in through the Unix socket in the data folder without a password: only the owner of the folder reaches
 * it. A query takes two thirds of the CPU time of one over TCP, and a connection a quarter of the client's.
 *
 * @returns the URL of the socket, or the given one if a path of that length cannot be opened
 */
async function openSocket(url: string): Promise<string> {
  const [{ folder, hba } = { folder: '', hba: '' }] = await query<{ folder: string; hba: string }>(
    url,
    `select current_setting('data_directory') as folder, current_setting('hba_file') as hba`,
  );
  if (process.platform === 'win32' || folder.length > LONGEST_SOCKET_FOLDER) return url;
  const rules = ['local all all trust', 'host all all 127.0.0.1/32 scram-sha-256'];
  const rows = rules.map((rule) => `('${rule}')`).join();
  await query(url, `copy (values ${rows}) to '${hba}'`, 'select pg_reload_conf()');
  return url.replace('@127.0.0.1:', `@${encodeURIComponent(folder)}:`);
}

async function dropDatabases(url: string, prefix: string): Promise<void> {
  const rows = await query<{ datname: string }>(
    url,
    `select datname from pg_database where starts_with(datname, '${prefix}')`,
  );
  for (const { datname } of rows) await query(url, `drop database ${datname} with (force)`);
}

/** Runs statements on one connection. Returns the rows of the last one. */
async function query<Row extends object>(url: string, ...statements: string[]): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    let rows: Row[] = [];
    for (const statement of statements) ({ rows } = await client.query<Row>(statement));
    return rows;
  } finally {
    await client.end();
  }
}

/** Whether a folder exists that has room for the databases of a run. In a container it is often small. */
export function hasRoom(folder: string): boolean {
  if (!existsSync(folder)) return false;
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize > ROOM_BYTES;
}
