import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startPostgres } from '../demo/postgres-server.js';
import { type ContestResult, type Effort, runContest } from './contest-run.js';
import { CONTESTS, type Contest } from './contests.js';
import { hasPgbench, PGBENCH_TABLE } from './pgbench.js';
import { plot } from './plot.js';
import { page, summary } from './report.js';

const USAGE = `npm run bench -- [--quick] [--only get,refresh] [--json]

  --quick   a short look that only shows that everything runs; its figures mean little
  --only    some contests: ${CONTESTS.map(({ id }) => id).join(', ')}
  --json    print the results as JSON

Without --quick and --only, bench/RESULTS.md and bench/results.svg are written.`;

const EFFORTS: Readonly<Record<'full' | 'quick', Effort>> = {
  full: { restarts: 3, turns: 6, seconds: 1 },
  quick: { restarts: 1, turns: 1, seconds: 0.2 },
};

/** Durable, as a production server is; the rest is what a machine of this size would be given. */
const POSTGRES = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  max_connections: '200',
  shared_buffers: '1GB',
  max_wal_size: '8GB',
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean' },
      json: { type: 'boolean' },
      only: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return console.log(USAGE);
  const contests = await chosen(values.only?.split(','));
  const directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-bench-'));
  const postgres = await startPostgres(directory, POSTGRES);
  try {
    const version = await prepare(postgres.url);
    const results: ContestResult[] = [];
    for (const contest of contests) {
      const result = await runContest(contest, postgres.url, EFFORTS[values.quick ? 'quick' : 'full']);
      results.push(result);
      if (!values.json) console.log(summary(result));
    }
    if (values.json) console.log(JSON.stringify(results, undefined, 2));
    if (values.quick || values.only) return;
    const folder = new URL('../../', import.meta.url);
    await writeFile(new URL('RESULTS.md', folder), page(results, { postgres: version, command: 'npm run bench' }));
    await writeFile(new URL('results.svg', folder), plot(results));
  } finally {
    await postgres.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/** The contests to run; without pgbench on the machine, it is no contestant. */
async function chosen(ids: readonly string[] | undefined): Promise<readonly Contest[]> {
  const unknown = ids?.find((id) => !CONTESTS.some((contest) => contest.id === id));
  if (unknown !== undefined) throw new Error(`There is no contest "${unknown}".\n\n${USAGE}`);
  const asked = CONTESTS.filter(({ id }) => !ids || ids.includes(id));
  if (await hasPgbench()) return asked;
  console.error('pgbench is not installed (Debian: postgresql-client); the rotation is not compared with it.');
  return asked.map((contest) => ({
    ...contest,
    contestants: contest.contestants.filter(({ kind }) => kind !== 'pgbench'),
    targets: contest.targets.filter(({ over }) => over !== 'pgbench'),
  }));
}

/** Makes what pgbench needs, and returns the version. */
async function prepare(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(PGBENCH_TABLE);
  const { rows } = await client.query('show server_version');
  await client.end();
  return `PostgreSQL ${rows[0].server_version}`;
}

await main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
