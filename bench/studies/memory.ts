import type { Bench } from '../bench.js';
import { load } from '../load.js';
import { requestsOf } from '../requests.js';
import { atMost, table } from '../section.js';
import { createDatabase, ServerProcess } from '../server-process.js';
import type { Usage } from '../servers/serve.js';
import { median } from '../statistics.js';
import type { Study } from './study.js';

const MEGABYTE = 2 ** 20;

/** V8 lets its young generation grow to 128 MB during a busy start, whether needed or not, so one run limits it. */
const MEASURES = [
  { how: 'resident', flags: [], part: 'rss' },
  { how: 'resident with --max-semi-space-size=16', flags: ['--max-semi-space-size=16'], part: 'rss' },
  { how: 'live heap', flags: ['--expose-gc'], part: 'heap' },
] as const;

/** Measures the memory of a server after many requests, and whether it grows under mixed load. */
export const memory: Study = {
  id: 'memory',
  title: 'Memory of the server',
  async run(bench) {
    const requests = bench.isQuick ? 1000 : 100_000;
    const compared = [];
    for (const { how, flags, part } of MEASURES) {
      const [bare, ours] = [await after(requests, 'bare', flags, bench), await after(requests, 'ours', flags, bench)];
      compared.push({ how, bare: bare[part] / MEGABYTE, ours: ours[part] / MEGABYTE });
    }
    const heap = await underMixedLoad(bench);
    const quarter = Math.ceil(heap.length / 4);
    const early = median(heap.slice(quarter, 2 * quarter));
    const late = median(heap.slice(-quarter));
    return {
      lines: [
        `After ${requests} authenticated GETs:`,
        '',
        ...table(
          ['', 'bare MB', 'ours MB'],
          compared.map(({ how, bare, ours }) => [how, bare.toFixed(0), ours.toFixed(0)]),
        ),
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

async function after(requests: number, name: string, flags: readonly string[], bench: Bench): Promise<Usage> {
  const database = await createDatabase(bench.postgres, `bench_memory_${name}`);
  const server = await ServerProcess.start(name, '', database, flags);
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
