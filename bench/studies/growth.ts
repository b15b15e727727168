import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import type { Bench } from '../bench.js';
import { type Load, load } from '../load.js';
import { requestsOf } from '../requests.js';
import { atLeast, atMost, table, type Verdict } from '../section.js';
import { createDatabase, ServerProcess } from '../server-process.js';
import { sessionId } from '../servers/many-sessions.js';
import { ENCRYPTION_KEY, SECRET } from '../servers/serve.js';
import { quantile } from '../statistics.js';
import type { Study } from './study.js';

const run = promisify(execFile);
const CLI = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const ORM = fileURLToPath(new URL('../servers/app-orm.js', import.meta.url));

/** Number of connections that rotate at the same time. */
const PARALLEL = 4;

/**
 * How a million rotations change the size of the table. The statement is the library's own, taken from pg_stat_activity
 * after a refresh over HTTP; a procedure repeats it for random sessions, each in its own transaction.
 */
export const growth: Study = {
  id: 'growth',
  title: 'The whitelist before and after a million rotations of random sessions',
  async run(bench) {
    const sizes = bench.isQuick ? [1000, 2000] : [10_000, 1_000_000, 10_000_000];
    const rotations = bench.isQuick ? 2000 : 1_000_000;
    const rows: (string | number)[][] = [];
    const verdicts: Verdict[] = [];
    const purges: string[] = [];
    for (const sessions of sizes) {
      const whitelist = await Whitelist.fill(sessions, bench);
      const before = await whitelist.state();
      const seconds = await whitelist.rotate(rotations, sessions);
      const after = await whitelist.state();
      const updates = after.updates - before.updates;
      const hot = (100 * (after.hot - before.hot)) / updates;
      const growth = (100 * (after.index - before.index)) / before.index;
      rows.push([
        sessions,
        ...[before.table, after.table, before.index, after.index].map((bytes) => (bytes / 2 ** 20).toFixed(1)),
        `${hot.toFixed(2)} %`,
        Math.round(updates / seconds),
      ]);
      verdicts.push(
        atLeast(`growth: HOT updates with ${sessions} sessions`, hot, 99, '%'),
        atMost(`growth: of the indexes with ${sessions} sessions`, growth, 0, '%'),
      );
      if (sessions === sizes.at(-1)) purges.push(...(await whitelist.purge(bench)));
      await whitelist.drop();
    }
    const head = ['sessions', 'table MB', 'after', 'indexes MB', 'after', 'HOT updates', 'rotations/s in the database'];
    return { lines: [...table(head, rows), '', ...purges], verdicts };
  },
};

class Whitelist {
  #requests: Load | undefined;

  private constructor(
    private readonly server: ServerProcess,
    private readonly url: string,
    private readonly pool: pg.Pool,
  ) {}

  static async fill(sessions: number, { postgres, directory }: Bench): Promise<Whitelist> {
    const url = await createDatabase(postgres, 'bench_growth');
    const server = await ServerProcess.start('ours', String(sessions), url, [], directory);
    const pool = new pg.Pool({ connectionString: url, max: PARALLEL });
    pool.on('error', () => {}); // `end` does not wait for the server, and the next size drops the database by force
    return new Whitelist(server, url, pool);
  }

  /** Sizes in bytes, and the number of updates so far. */
  async state(): Promise<Record<'table' | 'index' | 'updates' | 'hot', number>> {
    await this.pool.query('select pg_stat_force_next_flush()');
    const { rows } = await this.pool.query(`
      select pg_table_size(relid)::float8 as table, pg_indexes_size(relid)::float8 as index, n_tup_upd::float8 as updates,
        n_tup_hot_upd::float8 as hot from pg_stat_user_tables where relname = 'auth_session'`);
    return rows[0];
  }

  /** Rotates sessions, and returns the seconds that it took. */
  async rotate(rotations: number, sessions: number): Promise<number> {
    await load(this.server.origin, this.#refresh(PARALLEL), 0.1);
    const { rows } = await this.pool.query(
      `select query from pg_stat_activity where datname = current_database() and query ~ '^\\s*update [^ ]*"auth_session"' limit 1`,
    );
    const device = Array(4).fill('null'); // no client data is collected
    const values = [
      'live.id',
      'live.user_id',
      'live.jti',
      'gen_random_uuid()',
      'now()',
      `now() + interval '14 days'`,
      ...device,
      'live.jti',
      'null', // the network is unknown
      'live.amr', // the context for which the tokens were made
      'live.proved',
    ];
    const statement = values.reduceRight((sql, value, index) => sql.replaceAll(`$${index + 1}`, value), rows[0].query);
    await this.pool.query(`
      create procedure rotate_many(rotations int, inout changed int) language plpgsql as $body$
      declare picked uuid; live record; owner record;
      begin
        for i in 1..rotations loop
          picked := ${sessionId(String(sessions))}; -- inside the condition it would be evaluated for each row
          select id, user_id, jti, amr, floor(extract(epoch from coalesce(auth_time, created_at))) as proved
            into live from auth_session where id = picked;
          ${statement} into owner;
          changed := changed + found::int;
          commit;
        end loop;
      end $body$`);
    const start = performance.now();
    const share = Math.ceil(rotations / PARALLEL);
    const call = async () => (await this.pool.query('call rotate_many($1, 0)', [share])).rows[0].changed as number;
    const changed = (await Promise.all(Array.from({ length: PARALLEL }, call))).reduce((sum, one) => sum + one);
    // Of two that pick one session at the same time, only one rotates it.
    if (changed < 0.9 * rotations) throw new Error(`Only ${changed} of ${rotations} rotations changed a session.`);
    return (performance.now() - start) / 1000;
  }

  /** Deletes the expired tenth of the sessions with the command line, during refreshes over HTTP. */
  async purge({ effort }: Bench): Promise<string[]> {
    const requests = this.#refresh(16);
    await load(this.server.origin, requests, effort.seconds * 5);
    const without = await load(this.server.origin, requests, effort.seconds * 10);
    let isDone = false;
    const start = performance.now();
    const purging = run(process.execPath, [CLI, 'purge', '--orm', `${ORM}#options`], {
      env: {
        ...process.env,
        DATABASE_URL: this.url,
        JWT_ALLAUTH_SECRET_KEY: SECRET,
        JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY,
      },
    }).finally(() => {
      isDone = true;
    });
    const rates: number[] = [];
    const latencies: number[] = [];
    do {
      const slice = await load(this.server.origin, requests, effort.seconds);
      rates.push(slice.rate);
      latencies.push(...slice.latencies);
    } while (!isDone);
    const { stdout } = await purging;
    const seconds = (performance.now() - start) / 1000;
    const rate = rates.reduce((sum, one) => sum + one, 0) / rates.length;
    return [
      `\`jwt-allauth purge\` took ${seconds.toFixed(1)} s during refreshes (${stdout.trim().replaceAll(/\s*\n\s*/g, ', ')}): ` +
        `${rate.toFixed(0)} refreshes/s (p99 ${quantile(latencies, 0.99).toFixed(1)} ms), ` +
        `${without.rate.toFixed(0)} before (p99 ${quantile(without.latencies, 0.99).toFixed(1)} ms).`,
    ];
  }

  async drop(): Promise<void> {
    await this.server.stop();
    await this.pool.end();
  }

  #refresh(connections: number): Load {
    this.#requests ??= requestsOf('refresh of many', this.server, connections);
    return { ...this.#requests, connections };
  }
}
