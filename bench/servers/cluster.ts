import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import type { Usage } from './serve.js';

/** A server in several processes with one port and one database; BENCH_VARIANT is, for example, `ours 2`. */
const [server, processes] = (process.env['BENCH_VARIANT'] ?? '').split(' ');
cluster.setupPrimary({ exec: new URL(`./${server}.js`, import.meta.url).pathname });
cluster.schedulingPolicy = cluster.SCHED_RR;
const workers: Worker[] = [];
let first: unknown;
process.once('disconnect', () => {
  for (const worker of workers) worker.disconnect();
  process.exit(0);
});
while (workers.length < Number(processes)) {
  const worker = cluster.fork({ BENCH_VARIANT: 'HS256' });
  worker.once('exit', (code) => process.exit(code || 1)); // the others end when this process does
  const [message] = await once(worker, 'message'); // the first one creates the tables, so the others wait for it
  first ??= message;
  workers.push(worker);
}
process.send?.(first);
process.on('message', async () => {
  const all: Usage[] = await Promise.all(
    workers.map(async (worker) => {
      const answer = once(worker, 'message');
      worker.send('usage');
      return (await answer)[0];
    }),
  );
  const sum = (part: keyof Usage) => all.reduce((total, usage) => total + usage[part], 0);
  process.send?.({ cpu: sum('cpu'), rss: sum('rss'), heap: sum('heap') } satisfies Usage);
});
