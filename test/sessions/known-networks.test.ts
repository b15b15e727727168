import { afterEach, describe, expect, test } from 'vitest';
import { LoginLimiter } from '../../src/sign-in/login-limiter.js';
import { countingHasher } from '../support/counting-hasher.js';
import { expectProblem } from '../support/expect-problem.js';
import { createMailApp } from '../support/mail-app.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/test-app.js';
import { type Answer, PASSWORD, type TestClient } from '../support/test-client.js';

const WRONG = 'not the sentence that was chosen';
const NEXT = 'another sentence of some length';
const ADA = 'ada@example.com';
const HOME = '198.51.100.1';
const DAY = 86_400;

/** The real limits, without the delay before a refusal. */
class PromptLimiter extends LoginLimiter {
  protected override readonly refusalMilliseconds = 0;
}

const options = (more: TestAppOptions['settings'] = {}, services: TestAppOptions['auth'] = {}): TestAppOptions => ({
  express: 5,
  configure: (server) => server.set('trust proxy', true),
  settings: {
    loginRateLimit: '10/15m/account+ip,100/15m/ip,100/1h/account',
    accessTokenLifetime: '1d',
    refreshTokenLifetime: '60d',
    ...more,
  },
  auth: { services: [PromptLimiter], ...services },
});

let app: TestApp;
afterEach(() => app.close());

const from = (ip: string) => ({ 'x-forwarded-for': ip });

function login(ip: string, password = WRONG, client = app.client(), email = ADA): Promise<Answer> {
  return client.login(email, password, from(ip));
}

/** Signs up at an address. */
async function signedUpAt(ip: string): Promise<TestClient> {
  const client = app.client();
  const answer = await client.send('POST', '/auth/registration', { email: ADA, password: PASSWORD }, from(ip));
  expect(answer.status).toBe(201);
  return Object.assign(client, { access: answer.body.access, refreshToken: answer.cookie?.value });
}

/** A botnet guesses until no password from a new address is checked any more. */
async function useUpLimit(): Promise<void> {
  const guesses = Array.from({ length: 100 }, (_, index) => login(`203.0.113.${index}`));
  expect((await Promise.all(guesses)).map(({ status }) => status)).toEqual(Array(100).fill(401));
  expectProblem(await login('203.0.113.200', PASSWORD), 429, 'too_many_requests');
}

async function refreshFrom(client: TestClient, ip: string): Promise<void> {
  const answer = await client.send('POST', '/auth/refresh', undefined, { ...client.cookieHeader, ...from(ip) });
  expect(answer.status).toBe(200);
  Object.assign(client, { access: answer.body.access, refreshToken: answer.cookie?.value });
}

describe('a network becomes known', () => {
  test.each([
    ['a sign-up', (ip: string) => signedUpAt(ip)],
    ['a sign-in', async (ip: string) => (await signedUpAt('192.0.2.9')) && login(ip, PASSWORD)],
    [
      'a session that the app opens',
      async (ip: string) => {
        await signedUpAt('192.0.2.9');
        const { rows } = await app.database.pool.query('select id from app_user');
        await app.auth.sessions.open({ id: rows[0].id }, { client: { ip } });
      },
    ],
    [
      'a password change',
      async (ip: string) => {
        const client = await signedUpAt('192.0.2.9');
        const change = { oldPassword: PASSWORD, newPassword: NEXT };
        const answer = await client.send('POST', '/auth/password/change', change, { ...client.bearer, ...from(ip) });
        expect(answer.status).toBe(200);
      },
    ],
  ])('by %s', async (what, open) => {
    app = await createTestApp(options());
    await open(HOME);
    await useUpLimitOf(what === 'a password change' ? NEXT : PASSWORD);
  });

  async function useUpLimitOf(password: string): Promise<void> {
    await useUpLimit();
    expect((await login(HOME, password)).status).toBe(200);
    expectProblem(await login('198.51.100.2', password), 429, 'too_many_requests');
  }

  test('not by a correct password that opens no session', async () => {
    app = await createTestApp(options());
    await signedUpAt('192.0.2.9');
    await app.database.pool.query('update app_user set is_active = false');
    expectProblem(await login(HOME, PASSWORD), 401, 'no_active_account');
    await app.database.pool.query('update app_user set is_active = true');
    await useUpLimit();
    expectProblem(await login(HOME, PASSWORD), 429, 'too_many_requests');
  });

  test('not for a client without an address', async () => {
    app = await createTestApp(options());
    await signedUpAt('unknown');
    await useUpLimit();
    expectProblem(await login('unknown', PASSWORD), 429, 'too_many_requests');
  });
});

describe('a network stays known', () => {
  test('for thirty days after the sign-in, and while a session is refreshed there', async () => {
    app = await createTestApp(options());
    const client = await signedUpAt(HOME);
    await login('198.51.100.2', PASSWORD);
    for (let day = 0; day < 35; day += 5) {
      app.clock.advance(5 * DAY);
      await refreshFrom(client, HOME);
    }
    await useUpLimit();
    expect((await login(HOME, PASSWORD)).status).toBe(200);
    expectProblem(await login('198.51.100.2', PASSWORD), 429, 'too_many_requests');
  });

  test('but a refresh does not make an unknown network known: a copied token cannot', async () => {
    app = await createTestApp(options());
    const client = await signedUpAt(HOME);
    app.clock.advance(2 * DAY);
    await refreshFrom(client, '203.0.113.250');
    await useUpLimit();
    expectProblem(await login('203.0.113.250', PASSWORD), 429, 'too_many_requests');
  });
});

describe('all networks become unknown', () => {
  test('after a password change, even if older sessions stay and are refreshed there', async () => {
    app = await createTestApp(options({ logoutOnPasswordChange: false }));
    const thief = await signedUpAt('203.0.113.250');
    const owner = app.client();
    await login(HOME, PASSWORD, owner);
    const change = { oldPassword: PASSWORD, newPassword: NEXT };
    const answer = await owner.send('POST', '/auth/password/change', change, { ...owner.bearer, ...from(HOME) });
    expect(answer.status).toBe(200);
    app.clock.advance(DAY);
    await refreshFrom(thief, '203.0.113.250');
    await useUpLimit();
    expectProblem(await login('203.0.113.250', NEXT), 429, 'too_many_requests');
    expect((await login(HOME, NEXT)).status).toBe(200);
  });

  test('after a reset: of 300 guesses from thirty networks that another person had made known, 100 are checked', async () => {
    const { CountingHasher, counts } = countingHasher();
    const services = [PromptLimiter, CountingHasher];
    const mailApp = await createMailApp(
      { ...options().settings, emailVerification: 'optional' },
      options({}, { services }),
    );
    app = mailApp;
    // A stranger signs up with the owner's address, and signs in everywhere.
    await signedUpAt('203.0.113.250');
    const planted = Array.from({ length: 30 }, (_, index) => `203.0.113.${index}`);
    for (const ip of planted) expect((await login(ip, PASSWORD)).status).toBe(200);
    // The owner takes the account over.
    await app.client().send('POST', '/auth/password/reset', { email: ADA });
    const opened = await mailApp.open(await mailApp.linkTo(ADA, 2), { headers: from(HOME) });
    const cookie = [...opened.cookies.values()].find((each) => each.includes('password_reset'))?.split(';')[0] ?? '';
    const body = { newPassword: NEXT };
    const reset = await app.client().send('POST', '/auth/password/reset/set-new', body, { cookie, ...from(HOME) });
    expect(reset.status).toBe(200);

    counts.checks = 0;
    const guesses = planted.flatMap((ip) => Array.from({ length: 10 }, () => login(ip)));
    const answers = await Promise.all(guesses);
    expect(counts.checks).toBe(100);
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(100);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(200);
    // They do not lock out the owner, who has just confirmed the mailbox.
    expect((await login(HOME, NEXT)).status).toBe(200);
  });
});
