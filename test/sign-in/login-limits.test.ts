import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { countingHasher } from '../support/counting-hasher.js';
import { expectProblem } from '../support/expect-problem.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { type Answer, PASSWORD, type TestClient } from '../support/test-client.js';
import { waitForBlocked } from '../support/test-database.js';

const WRONG = 'not the sentence that was chosen';
const DEFAULT_LIMITS = '10/15m/account+ip,100/15m/ip,100/1h/account';

/** Asserts that this number of guesses in a row is checked, and found wrong. */
async function expectFailures(count: number, guess: () => Promise<Answer>): Promise<void> {
  for (let index = 0; index < count; index++) expectProblem(await guess(), 401, 'incorrect_credentials');
}

/** Asserts the refusal of a limit, with the seconds until it ends. */
function expectLimited(answer: Answer, seconds: number): void {
  expectProblem(answer, 429, 'too_many_requests');
  expect(answer.headers.get('retry-after')).toBe(String(seconds));
  expect(answer.cookie).toBeUndefined();
}

const countersOf = async (app: TestApp): Promise<{ key: string; count: number }[]> =>
  (await app.database.pool.query('select * from auth_counter order by key')).rows;

describe('ten failures in a quarter of an hour for an account at an address', () => {
  const { CountingHasher, counts } = countingHasher();
  let app: TestApp;
  let client: TestClient;
  beforeAll(async () => {
    const settings = { loginRateLimit: DEFAULT_LIMITS, accessTokenLifetime: '1d' };
    app = await createTestApp({ settings, auth: { services: [CountingHasher] } });
    await app.signedUp('ada@example.com');
  });
  beforeEach(async () => {
    await app.database.pool.query('delete from auth_counter');
    client = app.client();
  });
  afterAll(() => app.close());

  test('after them even the correct password is refused unchecked, until the window of the first failure ends', async () => {
    await expectFailures(1, () => client.login('ada@example.com', WRONG));
    app.clock.advance(100);
    await expectFailures(9, () => client.login('ada@example.com', WRONG));
    const { checks } = counts;
    const sessions = await app.sessions();
    expectLimited(await client.login('ada@example.com'), 800);
    app.clock.advance(799);
    expectLimited(await client.login(' ADA@example.com'), 1);
    expect(counts.checks).toBe(checks);
    expect(await app.sessions()).toEqual(sessions);
    app.clock.advance(1);
    expect((await client.login('ada@example.com')).status).toBe(200);
    expect(await app.sessions()).toHaveLength(sessions.length + 1);
  });

  test('after a window exactly ten new failures are possible', async () => {
    await expectFailures(10, () => client.login('ada@example.com', WRONG));
    app.clock.advance(900);
    await expectFailures(10, () => client.login('ada@example.com', WRONG));
    expectLimited(await client.login('ada@example.com'), 900);
  });

  test('an unknown address is limited with the same answers', async () => {
    const answersFor = async (email: string) => {
      const answers: unknown[] = [];
      for (let index = 0; index < 12; index++) {
        const { status, body, headers } = await client.login(email, WRONG);
        answers.push({ status, body, headers: [...headers].filter(([name]) => name !== 'date') });
      }
      return answers;
    };
    const known = await answersFor('ada@example.com');
    expect(known).toMatchObject([...Array(10).fill({ status: 401 }), { status: 429 }, { status: 429 }]);
    expect(await answersFor('nobody@example.com')).toEqual(known);
  });

  test('a success resets them', async () => {
    await expectFailures(9, () => client.login('ada@example.com', WRONG));
    expect((await client.login('ada@example.com')).status).toBe(200);
    await expectFailures(10, () => client.login('ada@example.com', WRONG));
    expectLimited(await client.login('ada@example.com'), 900);
  });

  test('a correct password for an inactive account is no failure', async () => {
    await app.signedUp('inactive@example.com');
    await app.database.pool.query(`update app_user set is_active = false where email = 'inactive@example.com'`);
    for (let index = 0; index < 12; index++) {
      expectProblem(await client.login('inactive@example.com'), 401, 'no_active_account');
    }
  });

  test('an overloaded server does not count as a failure', async () => {
    counts.isOverloaded = true;
    for (let index = 0; index < 12; index++) {
      expectProblem(await client.login('ada@example.com', WRONG), 503, 'service_unavailable');
    }
    counts.isOverloaded = false;
    expect((await countersOf(app)).every(({ count }) => count === 0)).toBe(true);
    expect((await client.login('ada@example.com')).status).toBe(200);
  });

  test('a database that fails in the middle does not count as a failure', async () => {
    const blocker = await app.database.pool.connect();
    for (let index = 0; index < 3; index++) {
      await blocker.query('begin; lock table app_user in access exclusive mode');
      const answering = client.login('ada@example.com', WRONG);
      await waitForBlocked(app.database.pool, 1);
      await app.database.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      expectProblem(await answering, 503, 'service_unavailable');
      await blocker.query('rollback');
    }
    blocker.release();
    expect((await countersOf(app)).every(({ count }) => count === 0)).toBe(true);
    await expectFailures(10, () => client.login('ada@example.com', WRONG));
    expectLimited(await client.login('ada@example.com'), 900);
  });

  test('guesses at the old password during a change are counted for the session, separately from those at the login', async () => {
    const user = await app.signedUp('changer@example.com');
    const other = app.client();
    expect((await other.login('changer@example.com')).status).toBe(200);
    const { access } = user;
    const next = 'a new sentence for signing in';
    await expectFailures(10, () => client.login('changer@example.com', WRONG));
    await expectFailures(10, () => user.changePassword(WRONG, next));
    expectLimited(await user.changePassword(PASSWORD, next), 900);
    expect(user.access).toBe(access);
    expectLimited(await client.login('changer@example.com'), 900);
    expect((await other.changePassword(PASSWORD, next)).status).toBe(200);
    app.clock.advance(900);
    expectProblem(await client.login('changer@example.com', PASSWORD), 401, 'incorrect_credentials');
    expect((await client.login('changer@example.com', next)).status).toBe(200);
  });

  test('a new password that the rules refuse is not a guess', async () => {
    const user = await app.signedUp('rules@example.com');
    const counters = await countersOf(app);
    for (let index = 0; index < 12; index++) {
      expectProblem(await user.changePassword(WRONG, 'short'), 400, 'validation_failed');
    }
    expect(await countersOf(app)).toEqual(counters);
  });

  test('the table contains neither an address nor an e-mail', async () => {
    await expectFailures(1, () => client.login('ada@example.com', WRONG));
    expect((await client.login('ada@example.com')).status).toBe(200);
    const rows = await countersOf(app);
    expect(rows.length).toBeGreaterThan(0);
    for (const { key } of rows) expect(key).toMatch(/^[\w-]{43}$/);
    expect(JSON.stringify(rows)).not.toMatch(/ada|example|127\.0|::1/i);
  });
});

describe('how limits count', () => {
  test.each(['account+ip', 'ip'])('successes do not count for the limit per %s', async (scope) => {
    const app = await createTestApp({ settings: { loginRateLimit: `4/15m/${scope}` } });
    const client = await app.signedUp('ada@example.com');
    await expectFailures(3, () => client.login('ada@example.com', WRONG));
    for (let index = 0; index < 6; index++) expect((await client.login('ada@example.com')).status).toBe(200);
    // The pair starts again after a success; the count for everybody at the address does not.
    await expectFailures(scope === 'ip' ? 1 : 4, () => client.login('ada@example.com', WRONG));
    expectLimited(await client.login('ada@example.com', WRONG), 900);
    await app.close();
  });

  test('a refused attempt does not count for any other limit', async () => {
    const app = await createTestApp({ settings: { loginRateLimit: '2/15m/account+ip,4/10m/ip,4/1h/account' } });
    const client = await app.signedUp('ada@example.com');
    await expectFailures(2, () => client.login('ada@example.com', WRONG));
    for (let index = 0; index < 10; index++) expectLimited(await client.login('ada@example.com', WRONG), 900);
    await expectFailures(2, () => client.login('grace@example.com', WRONG));
    expectLimited(await client.login('grace@example.com', WRONG), 900); // the longer of the two waits
    expectLimited(await client.login('alan@example.com', WRONG), 600);
    await app.close();
  });

  test('a refused attempt adds no row, so that attempts cannot fill the table', async () => {
    const app = await createTestApp({ settings: { loginRateLimit: '10/15m/account+ip,2/15m/ip,10/1h/account' } });
    const client = app.client();
    await expectFailures(2, () => client.login('ada@example.com', WRONG));
    const rows = await countersOf(app);
    for (let index = 0; index < 10; index++) {
      expectLimited(await client.login(`nobody${index}@example.com`, WRONG), 900);
    }
    expect(await countersOf(app)).toEqual(rows);
    await app.close();
  });

  test('off disables all counting', async () => {
    const app = await createTestApp({ settings: { loginRateLimit: 'off' } });
    const client = await app.signedUp('ada@example.com');
    await expectFailures(30, () => client.login('ada@example.com', WRONG));
    expect((await client.login('ada@example.com')).status).toBe(200);
    expect(await countersOf(app)).toEqual([]);
    await app.close();
  });
});
