import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startPostgres } from '../src/testing/postgres-server.js';
import type { Bench, Effort } from './bench.js';
import { runContest } from './contest-run.js';
import { CONTESTS, type Contest } from './contests.js';
import { hasPgbench, PGBENCH_TABLE } from './pgbench.js';
import { plot } from './plot.js';
import { about, type Measured, page, sectionOf, text } from './report.js';
import type { Section } from './section.js';
import { ServerProcess } from './server-process.js';
import { accountEnumeration } from './studies/account-enumeration.js';
import { coldStart } from './studies/cold-start.js';
import { crossing } from './studies/crossing.js';
import { eventLoop } from './studies/event-loop.js';
import { growth } from './studies/growth.js';
import { memory } from './studies/memory.js';
import { micro } from './studies/micro.js';

const STUDIES = [accountEnumeration, coldStart, crossing, eventLoop, growth, memory, micro];
const IDS = [...CONTESTS, ...STUDIES].map(({ id }) => id);

const USAGE = `npm run bench -- [--quick] [--only get,refresh] [--json]

  --quick   a short trial run; its figures mean little and are not stored
  --only    measure only these parts: ${IDS.join(', ')}
  --json    print the results as JSON

Without --quick, the results replace earlier ones in bench/results.json, RESULTS.md and results.svg.`;

const EFFORTS: Readonly<Record<'full' | 'quick', Effort>> = {
  full: { restarts: 3, turns: 6, seconds: 1 },
  quick: { restarts: 1, turns: 1, seconds: 0.1 },
};

/** Durable, like a production server. The sizes fit a machine of this size. */
const POSTGRES = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  max_connections: '200',
  shared_buffers: '1GB',
  max_wal_size: '8GB',
  track_activity_query_size: '8192',
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
  const asked = values.only?.split(',') ?? IDS;
  const unknown = asked.find((id) => !IDS.includes(id));
  if (unknown !== undefined) throw new Error(`Unknown part "${unknown}".\n\n${USAGE}`);

  if (values.quick) process.env['BENCH_USERS'] = '100'; // its servers start sooner
  const directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-bench-'));
  const postgres = await startPostgres(directory, values.quick ? { ...POSTGRES, fsync: 'off' } : POSTGRES);
  try {
    const on = about(await prepare(postgres.url));
    const effort = EFFORTS[values.quick ? 'quick' : 'full'];
    const bench = { postgres: postgres.url, directory, effort, isQuick: Boolean(values.quick) };
    const sections: Section[] = [];
    for await (const section of measure(asked, bench)) {
      sections.push(section);
      if (!values.json) console.log(text(section));
      if (!values.quick) await keep({ ...section, about: on });
    }
    if (values.json) console.log(JSON.stringify(sections, undefined, 2));
  } finally {
    await ServerProcess.stopAll(); // those that a failed part has left running
    await postgres.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function* measure(ids: readonly string[], bench: Bench): AsyncGenerator<Section> {
  const canPgbench = await hasPgbench();
  if (!canPgbench)
    console.error('pgbench is not installed (Debian: postgresql-client); it is left out of the comparison.');
  for (const contest of CONTESTS.filter(({ id }) => ids.includes(id))) {
    yield sectionOf(await runContest(canPgbench ? contest : withoutPgbench(contest), bench));
  }
  for (const { id, title, run } of STUDIES.filter((study) => ids.includes(study.id))) {
    yield { id, title, ...(await run(bench)) };
  }
}

function withoutPgbench(contest: Contest): Contest {
  return {
    ...contest,
    contestants: contest.contestants.filter(({ kind }) => kind !== 'pgbench'),
    targets: contest.targets.filter(({ over }) => over !== 'pgbench'),
  };
}

/** Replaces the last measurement of a section, and writes all result files. */
async function keep(section: Measured): Promise<void> {
  const folder = new URL('../../', import.meta.url);
  const file = new URL('results.json', folder);
  const kept: Measured[] = JSON.parse(await readFile(file, 'utf8').catch(() => '[]'));
  const sections = IDS.flatMap((id) => [section, ...kept].find((one) => one.id === id) ?? []);
  await writeFile(file, `${JSON.stringify(sections, undefined, 1)}\n`);
  await writeFile(new URL('RESULTS.md', folder), page(sections));
  await writeFile(new URL('results.svg', folder), plot(sections.flatMap(({ verdicts }) => verdicts)));
}

/** Creates the table for pgbench, and returns the version of PostgreSQL. */
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
