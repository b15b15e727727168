import { Client } from 'undici';
import { type Load, load } from '../load.js';
import { atMost, table } from '../section.js';
import { createDatabase, ServerProcess } from '../server-process.js';
import { quantile } from '../statistics.js';
import type { Study } from './study.js';

type Headers = Record<string, string>;

/** How long one server still accepts an access token after another server revoked its session, with both under load. */
export const crossing: Study = {
  id: 'crossing',
  title:
    'From the revocation of a session on one server to the refusal of its access token on another, both under load',
  async run({ postgres, isQuick }) {
    const revocations = isQuick ? 20 : 300;
    const database = await createDatabase(postgres, 'bench_crossing');
    const here = await ServerProcess.start('ours', 'revocation-list', database);
    const there = await ServerProcess.start('ours', 'revocation-list', database);
    const users = here.traffic.get?.users ?? [];
    const stop = new AbortController();
    const loads = [here, there].map((server) => keepBusy(server, users.slice(revocations), stop.signal));
    const latencies: number[] = [];
    for (const headers of users.slice(0, revocations)) latencies.push(await cross(here, there, headers));
    stop.abort();
    const rates = await Promise.all(loads);
    await Promise.all([here.stop(), there.stop()]);
    const row = [0.5, 0.9, 0.99, 1].map((q) => quantile(latencies, q).toFixed(1));
    return {
      lines: [
        ...table(['revocations', 'p50 ms', 'p90 ms', 'p99 ms', 'longest ms'], [[revocations, ...row]]),
        '',
        `GETs at the same time: ${rates.map((rate) => rate.toFixed(0)).join('/s and ')}/s.`,
      ],
      verdicts: [
        atMost('crossing: p99 of a revocation', quantile(latencies, 0.99), 100, 'ms'),
        atMost('crossing: the longest', quantile(latencies, 1), 1000, 'ms'),
      ],
    };
  },
};

/** Sends requests on eight connections without a pause, and returns the answers per second. */
async function keepBusy({ origin, traffic }: ServerProcess, users: readonly Headers[], signal: AbortSignal) {
  let turn = 0;
  const path = traffic.get?.path ?? '';
  const requests: Load = {
    connections: 8,
    expected: 200,
    next: () => ({ path, method: 'GET', headers: users[turn++ % users.length] }),
  };
  const rates: number[] = [];
  while (!signal.aborted) {
    const { rate, unexpected } = await load(origin, requests, 0.5);
    if (Object.keys(unexpected).length > 0)
      throw new Error(`a request of another session was refused: ${JSON.stringify(unexpected)}`);
    rates.push(rate);
  }
  return rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
}

/**
 * Revokes the session of an access token on one server, and returns the milliseconds until the other server refuses the
 * token.
 */
async function cross(here: ServerProcess, there: ServerProcess, headers: Headers): Promise<number> {
  const [one, other] = [new Client(here.origin), new Client(there.origin)];
  const ask = async () => {
    const { statusCode, body } = await other.request({ path: there.traffic.get?.path ?? '', method: 'GET', headers });
    await body.dump();
    return statusCode;
  };
  if ((await ask()) !== 200) throw new Error('the access token was refused before its session was revoked');
  const { session } = JSON.parse(Buffer.from(headers['authorization']?.split('.')[1] ?? '', 'base64url').toString());
  const ended = await one.request({ path: `/auth/sessions/${session}`, method: 'DELETE', headers });
  const start = performance.now();
  if (ended.statusCode !== 204) throw new Error(`the session was not revoked: ${ended.statusCode}`);
  while ((await ask()) !== 401);
  const took = performance.now() - start;
  await Promise.all([one.close(), other.close()]);
  return took;
}
