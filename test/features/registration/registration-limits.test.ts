import { afterEach, describe, expect, test } from 'vitest';
import { PasswordHasher } from '../../../src/users/password-hasher.js';
import { expectProblem } from '../../support/expect-problem.js';
import { createMailApp, type MailApp } from '../../support/mail-app.js';
import { PASSWORD } from '../../support/test-client.js';

const MODES = ['none', 'optional', 'mandatory'] as const;

/** Counts the hashes of passwords, and takes no time for them. */
class CheapHasher extends PasswordHasher {
  static hashes = 0;
  override async hash(): Promise<string> {
    CheapHasher.hashes++;
    return `$argon2id$v=19$m=8,t=1,p=1$${Buffer.from(crypto.randomUUID()).toString('base64')}$aGFzaA`;
  }
}

let app: MailApp;
afterEach(() => app.close());

async function start(registrationRateLimit: string | undefined, settings: Parameters<typeof createMailApp>[0] = {}) {
  CheapHasher.hashes = 0;
  app = await createMailApp(
    { registrationRateLimit, ...settings },
    {
      express: 5,
      configure: (server) => server.set('trust proxy', true),
      auth: { services: [CheapHasher] },
    },
  );
}

let count = 0;
function signUp(ip: string, email = `new${++count}@example.com`, password = PASSWORD) {
  return app.client().send('POST', '/auth/registration', { email, password }, { 'x-forwarded-for': ip });
}

async function userCount(): Promise<number> {
  return (await app.database.pool.query('select count(*)::int as users from app_user')).rows[0].users;
}

describe.each(MODES)('with EMAIL_VERIFICATION=%s', (emailVerification) => {
  test('an address can send twenty sign-ups an hour, and the password of a further one is not hashed', async () => {
    await start(undefined, { emailVerification });
    for (let index = 0; index < 20; index++) expect((await signUp('203.0.113.7')).status).toBe(201);
    const users = await userCount();
    const refused = await signUp('203.0.113.7');
    expectProblem(refused, 429, 'too_many_requests');
    expect([refused.headers.get('retry-after'), refused.cookie]).toEqual(['3600', undefined]);
    expect([CheapHasher.hashes, await userCount()]).toEqual([20, users]);
    expect((await signUp('203.0.113.8')).status).toBe(201);
    app.clock.advance(3599);
    expect((await signUp('203.0.113.7')).headers.get('retry-after')).toBe('1');
    app.clock.advance(1);
    expect((await signUp('203.0.113.7')).status).toBe(201);
  });

  test('sign-ups in parallel cannot exceed the limit', async () => {
    await start('5/1h/ip', { emailVerification });
    const answers = await Promise.all(Array.from({ length: 30 }, () => signUp('203.0.113.7')));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(25);
    expect(CheapHasher.hashes).toBe(5);
  });

  test('an invalid sign-up does not count', async () => {
    await start('1/1h/ip', { emailVerification });
    for (let index = 0; index < 3; index++) {
      expectProblem(await signUp('203.0.113.7', undefined, 'Summer2026!'), 400, 'validation_failed');
    }
    expect((await signUp('203.0.113.7')).status).toBe(201);
    expectProblem(await signUp('203.0.113.7', undefined, 'Summer2026!'), 400, 'validation_failed');
    expectProblem(await signUp('203.0.113.7'), 429, 'too_many_requests');
  });
});

test('a sign-up for a taken address counts as well: it costs the same hash', async () => {
  await start('2/1h/ip');
  expect((await signUp('203.0.113.7', 'ada@example.com')).status).toBe(201);
  expectProblem(await signUp('203.0.113.7', 'ada@example.com'), 409, 'email_already_registered');
  expectProblem(await signUp('203.0.113.7'), 429, 'too_many_requests');
});

test('refused sign-ups, from many networks, do not use up MAIL_RATE_LIMIT of the mailbox', async () => {
  await start('1/1h/ip', { emailVerification: 'optional', mailRateLimit: '2/1h/account' });
  for (const ip of ['203.0.113.1', '203.0.113.2', '203.0.113.3', '203.0.113.4', '203.0.113.5']) {
    expect((await signUp(ip)).status).toBe(201);
    for (let index = 0; index < 3; index++) {
      expectProblem(await signUp(ip, 'ada@example.com'), 429, 'too_many_requests');
    }
  }
  expect((await signUp('203.0.113.8', 'ada@example.com')).status).toBe(201);
});

test('a sign-up that one limit refuses does not count for a longer one, in whatever order they are written', async () => {
  await start('3/1d/ip,1/1h/ip');
  for (let hour = 0; hour < 3; hour++) {
    expect((await signUp('203.0.113.7')).status).toBe(201);
    for (let index = 0; index < 3; index++) expect((await signUp('203.0.113.7')).status).toBe(429);
    app.clock.advance(3600);
  }
  expect((await signUp('203.0.113.7')).headers.get('retry-after')).toBe(String(21 * 3600));
});

test('addresses of one IPv6 /64 count together; clients without an address share no counter', async () => {
  await start('1/1h/ip');
  expect((await signUp('2001:db8:1:2::1')).status).toBe(201);
  expectProblem(await signUp('2001:db8:1:2::2'), 429, 'too_many_requests');
  expect((await signUp('2001:db8:1:3::1')).status).toBe(201);
  for (let index = 0; index < 3; index++) expect((await signUp('unknown')).status).toBe(201);
});

test('REGISTRATION_RATE_LIMIT=off allows any number of sign-ups', async () => {
  await start('off');
  const answers = await Promise.all(Array.from({ length: 30 }, () => signUp('203.0.113.7')));
  expect(answers.map(({ status }) => status)).toEqual(Array(30).fill(201));
});
