import { type Load, load } from '../load.js';
import { requestsOf } from '../requests.js';
import { atMost, table } from '../section.js';
import { createDatabase, ServerProcess } from '../server-process.js';
import { quantile } from '../statistics.js';
import type { Study } from './study.js';

/**
 * Passwords are hashed outside the event loop: requests of signed-in users must hardly be slower while others sign in.
 */
export const eventLoop: Study = {
  id: 'event-loop',
  title: 'An authenticated GET, 1 connection, while others sign in at full rate, 8 at a time',
  async run({ postgres, effort }) {
    const server = await ServerProcess.start('ours', 'HS256', await createDatabase(postgres, 'bench_event_loop'));
    const get = requestsOf('get', server, 1);
    const signIn = requestsOf('sign-in', server, 8);
    const during = (requests: Load, seconds: number) => load(server.origin, requests, seconds);
    await Promise.all([during(signIn, effort.seconds * 10), during(get, effort.seconds * 10)]);
    const alone = await during(get, effort.seconds * 10);
    const [withSignIns, signedIn] = await Promise.all([
      during(get, effort.seconds * 20),
      during(signIn, effort.seconds * 20),
    ]);
    await server.stop();
    const row = (name: string, { latencies }: typeof alone) => [
      name,
      ...[0.5, 0.99, 0.999].map((q) => quantile(latencies, q).toFixed(2)),
    ];
    return {
      lines: [
        ...table(['GET', 'p50 ms', 'p99 ms', 'p99.9 ms'], [row('alone', alone), row('during sign-ins', withSignIns)]),
        '',
        `Sign-ins at the same time: ${signedIn.rate.toFixed(0)}/s.`,
      ],
      verdicts: [atMost('event-loop: p99 of a GET during sign-ins', quantile(withSignIns.latencies, 0.99), 25, 'ms')],
    };
  },
};
