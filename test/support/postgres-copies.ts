import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { type PostgresServer, startPostgres } from '../../src/testing/index.js';
import { hasRoom, MEMORY } from './global-setup.js';
import { until } from './until.js';

const run = promisify(execFile);

/** PostgreSQL servers that start with the data of one backup: primaries, their standbys, and restored backups. */
export class PostgresCopies {
  readonly #copies: PostgresCopy[] = [];

  private constructor(private readonly folder: string) {}

  /** Takes the backup of a new server after `fill` has filled its database. */
  static async create(fill: (url: string) => Promise<void>): Promise<PostgresCopies> {
    const folder = await mkdtemp(join(hasRoom(MEMORY) ? MEMORY : tmpdir(), 'jwt-allauth-copies-'));
    const server = await startPostgres(join(folder, 'backup'), { fsync: 'off' });
    await fill(server.url).finally(() => server.stop());
    return new PostgresCopies(folder);
  }

  /** Restores the backup. @param settings PostgreSQL settings */
  async restore(settings: Record<string, string> = {}): Promise<PostgresCopy> {
    return this.#start(await this.#copy(), settings);
  }

  /** Starts a standby of a server that was restored from the backup, to which it streams its changes. */
  async startStandby(primary: PostgresCopy): Promise<PostgresCopy> {
    const folder = await this.#copy();
    const data = join(folder, 'postgres');
    await writeFile(join(data, 'standby.signal'), '');
    await appendFile(join(data, 'postgresql.auto.conf'), `primary_conninfo = '${primary.url}'\n`);
    return this.#start(folder, {});
  }

  /** Stops all servers and deletes their data. */
  async close(): Promise<void> {
    for (const copy of this.#copies) await copy.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #copy(): Promise<string> {
    const folder = join(this.folder, String(this.#copies.length));
    await run('cp', ['-pR', join(this.folder, 'backup'), folder]); // as root it keeps the owner, as whom PostgreSQL runs
    return folder;
  }

  async #start(folder: string, settings: Record<string, string>): Promise<PostgresCopy> {
    const copy = new PostgresCopy(folder, await startPostgres(folder, { fsync: 'off', ...settings }));
    this.#copies.push(copy);
    return copy;
  }
}

/** One running server. */
export class PostgresCopy {
  readonly #pool: pg.Pool;

  constructor(
    private readonly folder: string,
    private readonly server: PostgresServer,
  ) {
    this.#pool = new pg.Pool({ connectionString: server.url, max: 1 }).on('error', () => {}); // it may crash
  }

  get url(): string {
    return this.server.url;
  }

  /** Runs a statement, and returns the value in the only column of the first row. */
  async query(sql: string): Promise<unknown> {
    const { rows } = await this.#pool.query({ text: sql, rowMode: 'array' });
    return rows[0]?.[0];
  }

  /** Ends the server without a farewell to clients and standbys. */
  async crash(): Promise<void> {
    const pidFile = join(this.folder, 'postgres/postmaster.pid');
    process.kill(Number.parseInt(await readFile(pidFile, 'utf8'), 10), 'SIGQUIT');
    await until(() => !existsSync(pidFile));
  }

  /** Ends the stream of changes from the primary: what the primary commits from now on never reaches this standby. */
  async disconnect(): Promise<void> {
    await this.query(`alter system set primary_conninfo = ''`);
    await this.query('select pg_reload_conf()');
    await until(async () => (await this.query('select count(*)::int from pg_stat_wal_receiver')) === 0);
  }

  /** Makes this standby a primary. */
  async promote(): Promise<void> {
    if (!(await this.query('select pg_promote()'))) throw new Error('the standby was not promoted');
  }

  async stop(): Promise<void> {
    await this.#pool.end();
    await this.server.stop();
  }
}
