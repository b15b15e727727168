import { Client } from 'undici';
import type { Bench } from '../bench.js';
import { ask } from '../load.js';
import { atMost, table } from '../section.js';
import { createAppDatabase, ServerProcess } from '../server-process.js';
import { estimate, median } from '../statistics.js';
import type { Study } from './study.js';

/** One start. All values are milliseconds. */
interface Start {
  /** From the start of the process until its modules were imported. */
  readonly imports: number;
  /** Until the app with its controllers was made. */
  readonly setup: number;
  /** From the command `node` to the first answer. */
  readonly answered: number;
}

/** Measures how long an app needs from the command `node` to its first answer, with the library and without it. */
export const coldStart: Study = {
  id: 'cold-start',
  title: 'From the command `node` to the first answered GET',
  async run(bench) {
    const database = await createAppDatabase(bench.postgres, 'bench_cold_start');
    const starts = { orm: [] as Start[], app: [] as Start[] };
    for (const name of ['orm', 'app'] as const) await start(name, database); // the files get into the file cache
    for (let turn = 0; turn < turns(bench); turn++) {
      const names = turn % 2 ? (['app', 'orm'] as const) : (['orm', 'app'] as const);
      for (const name of names) starts[name].push(await start(name, database));
    }
    const of = (name: keyof typeof starts, part: keyof Start) => starts[name].map((each) => each[part]);
    const row = (what: string, part: keyof Start) =>
      [what, ...(['orm', 'app'] as const).map((name) => median(of(name, part)).toFixed(0))] as const;
    const ratio = estimate(of('app', 'answered').map((ms, turn) => ms / (of('orm', 'answered')[turn] ?? Number.NaN)));
    return {
      lines: [
        `The median of ${turns(bench)} starts of each app, in turns, with a database that has its tables:`,
        '',
        ...table(
          ['ms', 'routing-controllers and MikroORM', 'with the library'],
          [
            row('import of the modules', 'imports'),
            row('set-up of ORM, library and controllers', 'setup'),
            row('from `node` to the first answer', 'answered'),
          ],
        ),
      ],
      verdicts: [
        {
          ...atMost('cold-start: with the library / without', ratio.high, 2, ''),
          measured: `${ratio.value.toFixed(2)} (${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)})`,
        },
      ],
    };
  },
};

const turns = ({ isQuick }: Bench) => (isQuick ? 2 : 20);

async function start(name: string, database: string): Promise<Start> {
  const began = performance.now();
  const server = await ServerProcess.start(name, '1', database);
  const client = new Client(server.origin);
  const { path = '', users: [headers] = [] } = server.traffic.get ?? {};
  const { status } = await ask(client, { path, method: 'GET', headers });
  const answered = performance.now() - began;
  await client.close();
  await server.stop();
  if (status !== 200) throw new Error(`The first answer of ${name} has the status ${status}.`);
  const { imported = Number.NaN, created = Number.NaN } = server.traffic.start ?? {};
  return { imports: imported, setup: created - imported, answered };
}
