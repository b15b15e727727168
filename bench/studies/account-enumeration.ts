import { setTimeout } from 'node:timers/promises';
import { table } from '../section.js';
import { createDatabase, ServerProcess } from '../server-process.js';
import { estimate, median } from '../statistics.js';
import type { Study } from './study.js';

const PASSWORD = 'not the password of any account';

/** Requests that are sent once with the address of an account, and once with an unknown address. */
const REQUESTS = [
  { what: 'sign-up', path: '/auth/registration', body: { password: PASSWORD }, pairs: 400 },
  { what: 'sign-in, wrong password', path: '/auth/login', body: { password: PASSWORD }, pairs: 400 },
  { what: 'password reset', path: '/auth/password/reset', body: {}, pairs: 700 },
  { what: 'resend', path: '/auth/registration/verification/resend', body: {}, pairs: 700 },
];

/** Measures whether the time to an answer reveals that an address has an account (EMAIL_VERIFICATION=mandatory). */
export const accountEnumeration: Study = {
  id: 'account-enumeration',
  title: 'Answers for known and unknown addresses',
  async run({ postgres, isQuick }) {
    const database = await createDatabase(postgres, 'bench_enumeration');
    const server = await ServerProcess.start('ours', 'accounts', database);
    const known = ((server.traffic.signIn?.bodies ?? []) as { email: string }[]).map(({ email }) => email);
    const rows = [];
    for (const { what, path, body, pairs } of REQUESTS) {
      const url = server.origin + path;
      const times: Record<'known' | 'unknown', number[]> = { known: [], unknown: [] };
      for (let pair = 0; pair < (isQuick ? 4 : pairs); pair++) {
        const emails = { known: known[pair % known.length], unknown: `${crypto.randomUUID()}@example.com` };
        const order = Math.random() < 0.5 ? (['known', 'unknown'] as const) : (['unknown', 'known'] as const);
        for (const side of order) times[side].push(await timeOf(url, { ...body, email: emails[side] }));
      }
      const ratio = estimate(times.known.map((time, index) => time / (times.unknown[index] ?? Number.NaN)));
      const [one, other] = [median(times.known), median(times.unknown)];
      const interval = `${ratio.value.toFixed(3)} (${ratio.low.toFixed(3)} to ${ratio.high.toFixed(3)})`;
      rows.push([what, one.toFixed(2), other.toFixed(2), interval]);
    }
    await server.stop();
    return {
      lines: [
        'Milliseconds to the answer, for requests one after the other, and the median ratio of pairs in random order:',
        '',
        ...table(['', 'known', 'unknown', 'ratio'], rows),
      ],
      verdicts: [],
    };
  },
};

/** Milliseconds to an answer. A pause follows, in which the server runs its background jobs. */
async function timeOf(url: string, body: object): Promise<number> {
  const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
  const start = performance.now();
  await (await fetch(url, init)).text();
  const time = performance.now() - start;
  await setTimeout(50);
  return time;
}
