import { describe, expect, test } from 'vitest';
import { countingHasher } from '../support/counting-hasher.js';
import { expectProblem } from '../support/expect-problem.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

const WRONG = 'not the sentence that was chosen';
const DEFAULT_LIMITS = '10/15m/account+ip,100/15m/ip,100/1h/account';

describe('sixty guesses at the same moment', () => {
  test.each([
    // The pair, the network and the account; a network that the owner has used has its own counter as well.
    ['one server', 1, 'ada@example.com', 4],
    ['two servers on one database', 2, 'ada@example.com', 4],
    ['two servers, for an unknown account', 2, 'nobody@example.com', 3],
  ])('get exactly ten checks of the password on %s', async (_what, servers, email, counters) => {
    const { CountingHasher, counts } = countingHasher();
    const options = { settings: { loginRateLimit: DEFAULT_LIMITS }, auth: { services: [CountingHasher] } };
    const first = await createTestApp(options);
    const apps: TestApp[] = [first];
    while (apps.length < servers) apps.push(await createTestApp({ ...options, database: first.database }));
    await first.signedUp('ada@example.com');

    const guesses = Array.from({ length: 60 }, (_, index) => apps[index % servers]?.client().login(email, WRONG));
    const answers = await Promise.all(guesses);
    expect(counts.checks).toBe(10);
    expect(answers.filter((answer) => answer?.status === 401)).toHaveLength(10);
    for (const answer of answers) {
      if (answer?.status === 401) expectProblem(answer, 401, 'incorrect_credentials');
      else if (answer) expectProblem(answer, 429, 'too_many_requests');
    }
    for (const app of apps) expect((await app.client().login(email, PASSWORD)).status).toBe(429);
    const { rows } = await first.database.pool.query('select count from auth_counter order by count');
    const known = { count: 0 }; // from the sign-up
    expect(rows).toEqual([known, ...Array(counters).fill({ count: 10 })]);
    expect(counts.checks).toBe(10);
    expect(await first.sessions()).toHaveLength(1);
    for (const app of apps.reverse()) await app.close();
  });
});

describe('attempts of every kind at the same moment', () => {
  test('correct passwords count nothing, however many are checked at once', async () => {
    const app = await createTestApp({ settings: { loginRateLimit: DEFAULT_LIMITS } });
    await app.signedUp('ada@example.com');
    const answers = await Promise.all(Array.from({ length: 20 }, () => app.client().login('ada@example.com')));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(await app.liveSessions()).toBe(21);
    await app.close();
  });

  test('never wait for each other, and leave exact counts', async () => {
    const limits = '90/15m/account+ip,90/1h/account+ip,90/1d/account+ip,500/15m/ip,500/1h/ip,500/1h/account';
    const app = await createTestApp({ settings: { loginRateLimit: limits } });
    const emails = ['ada@example.com', 'grace@example.com', 'alan@example.com'];
    for (const email of emails) await app.signedUp(email);
    const attempts = Array.from({ length: 120 }, (_, index) =>
      app.client().login(emails[index % 3] ?? '', index % 2 ? PASSWORD : WRONG),
    );
    const answers = await Promise.all(attempts);
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(60);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(60);
    const { rows } = await app.database.pool.query('select max(count)::int as count from auth_counter');
    expect(rows).toEqual([{ count: 60 }]); // of the address: successes were taken back, failures were not
    await app.close();
  });
});
