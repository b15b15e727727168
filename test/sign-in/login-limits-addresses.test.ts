import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { expectProblem } from '../support/expect-problem.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/test-app.js';
import { type Answer, PASSWORD } from '../support/test-client.js';

const WRONG = 'not the sentence that was chosen';

const BEHIND_PROXY: TestAppOptions = { express: 5, configure: (server) => server.set('trust proxy', true) };

function appWith(loginRateLimit: string, options: TestAppOptions = BEHIND_PROXY): Promise<TestApp> {
  return createTestApp({ ...options, settings: { loginRateLimit, accessTokenLifetime: '1d' } });
}

/** A login that a proxy forwards for `ip`. */
function login(app: TestApp, ip: string, email: string, password = WRONG): Promise<Answer> {
  return app.client().login(email, password, { 'x-forwarded-for': ip });
}

function expectLimited(answer: Answer, seconds: number): void {
  expectProblem(answer, 429, 'too_many_requests');
  expect(answer.headers.get('retry-after')).toBe(String(seconds));
}

describe('the limit per client address', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await appWith('5/15m/ip');
    await app.signedUp('ada@example.com');
  });
  beforeEach(() => app.database.pool.query('delete from auth_counter'));
  afterAll(() => app.close());

  test('applies across many accounts, known and unknown, and for that address only', async () => {
    for (let index = 0; index < 4; index++) {
      expect((await login(app, '203.0.113.7', `nobody${index}@example.com`)).status).toBe(401);
    }
    expect((await login(app, '203.0.113.7', 'ada@example.com')).status).toBe(401);
    expectLimited(await login(app, '203.0.113.7', 'ada@example.com', PASSWORD), 900);
    expectLimited(await login(app, '203.0.113.7', 'nobody5@example.com'), 900);
    expect((await login(app, '203.0.113.8', 'ada@example.com', PASSWORD)).status).toBe(200);
    app.clock.advance(900);
    expect((await login(app, '203.0.113.7', 'ada@example.com', PASSWORD)).status).toBe(200);
  });

  test.each([
    ['addresses of one IPv6 /64', ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:DB8:1:2:0:0:0:5']],
    ['an IPv4 address and the same mapped into IPv6', ['203.0.113.9', '::ffff:203.0.113.9', '::ffff:cb00:7109']],
  ])('counts %s together', async (_what, ips) => {
    for (let index = 0; index < 5; index++) {
      expect((await login(app, ips[index % ips.length] ?? '', `nobody${index}@example.com`)).status).toBe(401);
    }
    for (const ip of ips) expectLimited(await login(app, ip, 'ada@example.com', PASSWORD), 900);
  });

  test.each([
    ['neighbouring IPv6 networks', '2001:db8:1:2::1', '2001:db8:1:3::1'],
    ['IPv4 addresses mapped into IPv6', '::ffff:203.0.113.9', '::ffff:203.0.113.10'],
    ['neighbouring IPv4 addresses', '203.0.113.9', '203.0.113.10'],
  ])('counts %s separately', async (_what, guesser, bystander) => {
    for (let index = 0; index < 5; index++) {
      expect((await login(app, guesser, `nobody${index}@example.com`)).status).toBe(401);
    }
    expectLimited(await login(app, guesser, 'ada@example.com', PASSWORD), 900);
    expect((await login(app, bystander, 'ada@example.com', PASSWORD)).status).toBe(200);
  });
});

test.each([
  ['Express 4', {}],
  ['Express 5', { express: 5 } as const],
])('without trust proxy no header gives a client another address, on %s', async (_version, options) => {
  const app = await appWith('3/15m/ip', options);
  await app.signedUp('ada@example.com');
  const guess = (index: number, password = WRONG) => {
    const ip = `203.0.113.${index}`;
    const names = ['x-forwarded-for', 'x-real-ip', 'x-client-ip', 'cf-connecting-ip', 'true-client-ip'];
    const headers = Object.fromEntries(names.map((name) => [name, ip]));
    return app.client().login('ada@example.com', password, { ...headers, forwarded: `for=${ip}` });
  };
  for (let index = 0; index < 3; index++) expect((await guess(index)).status).toBe(401);
  expectLimited(await guess(4), 900);
  expectLimited(await guess(5, PASSWORD), 900);
  await app.close();
});

describe('the limit per account', () => {
  test('applies across many addresses, and successes elsewhere neither count nor reset anything', async () => {
    const app = await appWith('5/1h/account');
    await app.signedUp('ada@example.com');
    for (let index = 0; index < 4; index++) {
      expect((await login(app, `203.0.113.${index}`, 'ada@example.com')).status).toBe(401);
      expect((await login(app, `198.51.100.${index}`, 'ada@example.com', PASSWORD)).status).toBe(200);
    }
    expect((await login(app, '203.0.113.5', ' ADA@Example.com')).status).toBe(401);
    expectLimited(await login(app, '203.0.113.6', 'ada@example.com'), 3600);
    app.clock.advance(60);
    expectLimited(await login(app, '203.0.113.7', 'ada@example.com', PASSWORD), 3540);
    expect((await login(app, '203.0.113.7', 'grace@example.com')).status).toBe(401);
    app.clock.advance(3540);
    expect((await login(app, '203.0.113.7', 'ada@example.com', PASSWORD)).status).toBe(200);
    await app.close();
  });

  test('guesses from a hundred addresses lock out new networks, but not the owner at a known network', async () => {
    const app = await appWith('10/15m/account+ip,100/15m/ip,100/1h/account');
    await app.signedUp('ada@example.com');
    expect((await login(app, '198.51.100.1', 'ada@example.com', PASSWORD)).status).toBe(200);
    app.clock.advance(86_400);

    const guesses = Array.from({ length: 100 }, (_, index) => login(app, `203.0.113.${index}`, 'ada@example.com'));
    expect((await Promise.all(guesses)).map(({ status }) => status)).toEqual(Array(100).fill(401));
    const sessions = await app.liveSessions();
    expectLimited(await login(app, '203.0.113.200', 'ada@example.com'), 3600);
    expectLimited(await login(app, '203.0.113.201', 'ada@example.com', PASSWORD), 3600);
    expect(await app.liveSessions()).toBe(sessions);

    // A wrong password there gets the usual answer, so that it does not reveal that there is an account.
    expectLimited(await login(app, '198.51.100.1', 'ada@example.com'), 3600);
    expect((await login(app, '198.51.100.1', 'ada@example.com', PASSWORD)).status).toBe(200);
    expect(await app.liveSessions()).toBe(sessions + 1);
    expectLimited(await login(app, '203.0.113.202', 'ada@example.com', PASSWORD), 3600);
    await app.close();
  });

  test('at the owner’s address the limit per account and address still applies', async () => {
    const app = await appWith('3/15m/account+ip,3/1h/account');
    await app.signedUp('ada@example.com');
    expect((await login(app, '198.51.100.1', 'ada@example.com', PASSWORD)).status).toBe(200);
    for (let index = 0; index < 3; index++) {
      expect((await login(app, '198.51.100.1', 'ada@example.com')).status).toBe(401);
    }
    expectLimited(await login(app, '198.51.100.1', 'ada@example.com', PASSWORD), 3600); // as for an unknown account
    app.clock.advance(900);
    expectLimited(await login(app, '198.51.100.1', 'ada@example.com'), 2700);
    expect((await login(app, '198.51.100.1', 'ada@example.com', PASSWORD)).status).toBe(200);
    await app.close();
  });

  test('at the owner’s address the limit of the account still bounds the guesses, if it is the only one', async () => {
    const app = await appWith('3/1h/account');
    await app.signedUp('ada@example.com');
    expect((await login(app, '198.51.100.1', 'ada@example.com', PASSWORD)).status).toBe(200);
    for (let index = 0; index < 3; index++) {
      expect((await login(app, '198.51.100.1', 'ada@example.com')).status).toBe(401);
    }
    expectLimited(await login(app, '198.51.100.1', 'ada@example.com', PASSWORD), 3600);
    await app.close();
  });

  test('an address is known for one account only', async () => {
    const app = await appWith('3/1h/account');
    await app.signedUp('mallory@example.com');
    await app.signedUp('ada@example.com');
    expect((await login(app, '203.0.113.1', 'mallory@example.com', PASSWORD)).status).toBe(200);
    for (let index = 0; index < 3; index++) {
      expect((await login(app, '203.0.113.1', 'ada@example.com')).status).toBe(401);
    }
    expectLimited(await login(app, '203.0.113.1', 'ada@example.com'), 3600);
    await app.close();
  });
});
