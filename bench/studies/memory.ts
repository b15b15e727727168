import type { Bench } from '../bench.js';
import { load } from '../load.js';
import { requestsOf } from '../requests.js';
import { atMost, table } from '../section.js';
import { createAppDatabase, createDatabase, ServerProcess } from '../server-process.js';
import { USERS, type Usage } from '../servers/serve.js';
import { median } from '../statistics.js';
import type { Study } from './study.js';

const MEGABYTE = 2 ** 20;

/** The space for new objects grows with the length of the load, up to 100 MB, so one run limits it. */
const MEASURES = [
  { how: 'resident', flags: [], part: 'rss' },
  { how: 'resident with --max-semi-space-size=16', flags: ['--max-semi-space-size=16'], part: 'rss' },
  { how: 'live heap', flags: ['--expose-gc'], part: 'heap' },
] as const;

const DIFFERENCE = [
  'The bare server has no ORM and no database, which this library needs. V8 decides how much more than the live heap is',
  'resident: it enlarges the space for new objects while objects survive, and collects the old space when it has up to',
  'four times its live size. So the resident memory grows with the number of requests, also of the bare server.',
];

/** Measures the memory of a server after many requests, and whether it grows under mixed load. */
export const memory: Study = {
  id: 'memory',
  title: 'Memory of the server',
  async run(bench) {
    const requests = bench.isQuick ? 1000 : 100_000;
    const database = await createAppDatabase(bench.postgres, 'bench_memory');
    const compared = [];
    for (const { how, flags, part } of MEASURES) {
      const of = async (name: string) => (await after(requests, name, database, flags, bench))[part] / MEGABYTE;
      compared.push({ how, bare: await of('bare'), orm: await of('orm'), ours: await of('app') });
    }
    const heap = await underMixedLoad(bench);
    const quarter = Math.ceil(heap.length / 4);
    const early = median(heap.slice(quarter, 2 * quarter));
    const late = median(heap.slice(-quarter));
    return {
      lines: [
        `After ${requests} authenticated GETs. Each server has started as an app starts in production:`,
        '',
        ...table(
          ['', 'bare MB', 'with MikroORM MB', 'ours MB'],
          compared.map(({ how, ...sizes }) => [how, ...Object.values(sizes).map((size) => size.toFixed(0))]),
        ),
        '',
        ...DIFFERENCE,
        '',
        'Live heap after a garbage collection, under GETs (8 connections), refreshes (8) and sign-ins (2) together:',
        '',
        ...table(
          ['minute', 'MB'],
          heap.map((size, index) => [(((index + 1) * slice(bench)) / 60).toFixed(1), size.toFixed(1)]),
        ),
      ],
      verdicts: [
        ...compared.map(({ how, bare, ours }) => atMost(`memory: ours above bare, ${how}`, ours - bare, 60, 'MB')),
        atMost('memory: growth of the live heap, second to last quarter of the load', late - early, 1, 'MB'),
      ],
    };
  },
};

async function after(
  requests: number,
  name: string,
  database: string,
  flags: readonly string[],
  bench: Bench,
): Promise<Usage> {
  const server = await ServerProcess.start(name, String(USERS), database, flags);
  const get = requestsOf('get', server, 32);
  for (let sent = 0; sent < requests; ) {
    const { latencies } = await load(server.origin, get, bench.effort.seconds);
    sent += latencies.length;
  }
  const usage = await server.usage();
  await server.stop();
  return usage;
}

/** Seconds between two measurements of the heap: ten minutes make twenty. */
const slice = ({ effort }: Bench) => 30 * effort.seconds;

async function underMixedLoad(bench: Bench): Promise<number[]> {
  const database = await createDatabase(bench.postgres, 'bench_memory_mixed');
  const server = await ServerProcess.start('ours', '', database, ['--expose-gc']);
  const mixed = [requestsOf('get', server, 8), requestsOf('refresh', server, 8), requestsOf('sign-in', server, 2)];
  const heap: number[] = [];
  while (heap.length < (bench.isQuick ? 4 : 20)) {
    await Promise.all(mixed.map((requests) => load(server.origin, requests, bench.isQuick ? 0.2 : slice(bench))));
    heap.push((await server.usage()).heap / MEGABYTE);
  }
  await server.stop();
  return heap;
}
