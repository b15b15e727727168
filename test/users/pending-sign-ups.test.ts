import { afterEach, describe, expect, test } from 'vitest';
import type { SettingsInput } from '../../src/index.js';
import { expectProblem } from '../support/expect-problem.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import type { TestAppOptions } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';
import { until } from '../support/until.js';

const ADA = 'ada@example.com';
const STRANGER = 'the password of a stranger';
const COOKIE = 'email_verification_access_token';
const BEHIND_PROXY: TestAppOptions = { express: 5, configure: (server) => server.set('trust proxy', true) };

let app: MailApp;
afterEach(() => app.close());

const start = async (settings: SettingsInput = {}, options: TestAppOptions = {}) => {
  app = await createMailApp({ emailVerification: 'mandatory', ...settings }, options);
};
const signUp = (email: string, password = PASSWORD, ip = '203.0.113.1') =>
  app.client().send('POST', '/auth/registration', { email, password }, { 'x-forwarded-for': ip });
const login = (email: string, password = PASSWORD) => app.client().login(email, password);
const RESEND = '/auth/registration/verification/resend';
const resend = (email: string, cookie = '') => app.client().send('POST', RESEND, { email }, cookie ? { cookie } : {});
const cookieOf = ({ headers }: { headers: Headers }) => headers.getSetCookie()[0]?.split(';')[0] ?? '';
const rows = async () =>
  (await app.database.pool.query('select *, key_hash is not null as has_key from auth_pending_sign_up order by id'))
    .rows;

/** The link of the n-th mail to an address. */
async function linkOf(email: string, which: number): Promise<string> {
  const mail = (await app.mailsTo(email, which))[which - 1];
  return /http:\S+/.exec(mail?.text ?? '')?.[0] ?? 'no link';
}

/** Creates a confirmed user with the address. */
async function confirmedUser(email = ADA, password = PASSWORD): Promise<void> {
  await signUp(email, password);
  expect((await app.open(await linkOf(email, 1))).status).toBe(200);
}

test('several sign-ups of one address can wait at once, and the one whose mail is opened becomes the user', async () => {
  await start();
  const registered: string[] = [];
  app.auth.events.on('user.registered', ({ user }) => registered.push(user));
  const passwords = [STRANGER, PASSWORD, 'the third password of all'];
  const links: string[] = [];
  for (const password of passwords) {
    expect((await signUp(ADA, password)).status).toBe(201);
    links.push(await linkOf(ADA, links.length + 1)); // mails can overtake each other
  }
  for (const password of passwords) expectProblem(await login(ADA, password), 401, 'email_not_verified');
  expectProblem(await login(ADA, 'a password of nobody'), 401, 'incorrect_credentials');
  expect([await rows(), registered, await app.liveSessions()]).toMatchObject([[{}, {}, {}], [], 0]);
  expect((await app.database.pool.query('select 1 from app_user')).rows).toEqual([]);

  expect((await app.open(links[1] ?? '')).status).toBe(200);
  expect((await app.open(links[0] ?? '')).status).toBe(400);
  expect((await app.open(links[2] ?? '')).status).toBe(400);
  expect((await app.open(links[1] ?? '')).status).toBe(200); // the link again
  const found = (await app.database.pool.query('select id, email, email_verified from app_user')).rows;
  expect(found).toEqual([{ id: registered[0], email: ADA, email_verified: true }]);
  expect([registered.length, (await rows()).map(({ has_key }) => has_key)]).toEqual([1, [false, false]]);
  expect((await login(ADA)).status).toBe(200);
  for (const password of [STRANGER, passwords[2]]) {
    expectProblem(await login(ADA, password), 401, 'email_not_verified'); // as before, so that the answer reveals nothing
  }
});

test('five tries of another person do not stop the sign-up of the owner, before or after it, with the default limits', async () => {
  await start({ mailRateLimit: '5/1h/account,50/1h/ip' }, BEHIND_PROXY);
  for (let i = 0; i < 5; i++) expect((await signUp(ADA, STRANGER)).status).toBe(201);
  expectProblem(await signUp(ADA, STRANGER), 429, 'too_many_requests');
  await app.mailsTo(ADA, 5);
  expect((await signUp(ADA, PASSWORD, '198.51.100.7')).status).toBe(201);
  const link = await linkOf(ADA, 6);
  for (let i = 0; i < 5; i++) expect((await signUp(ADA, STRANGER, '203.0.113.2')).status).toBe(201);
  expect((await app.open(link)).status).toBe(200);
  expect((await login(ADA)).status).toBe(200);
});

test('mails to a mailbox are limited across all networks, at four times its limit', async () => {
  await start({ mailRateLimit: '2/1h/account,50/1h/ip' }, BEHIND_PROXY);
  const answers: number[] = [];
  for (let i = 1; i <= 5; i++)
    for (let j = 0; j < 2; j++) answers.push((await signUp(ADA, STRANGER, `203.0.113.${i}`)).status);
  expect(answers).toEqual([...Array(8).fill(201), 429, 429]);
  expect(await app.mailCount()).toBe(8);
});

test('the newest fifty sign-ups of an address are kept', async () => {
  await start();
  await signUp('grace@example.com');
  await signUp(ADA);
  await app.database.pool.query(
    `insert into auth_pending_sign_up (email, password_hash, fields, expires_at)
    select 'ada@example.com', n::text, '{}', $1 from generate_series(1, 60) n`,
    [new Date(app.clock.now() + 60_000)],
  );
  await signUp(ADA, STRANGER);
  const kept = (await rows()).map(({ email, password_hash }) => [email, password_hash]);
  expect(kept[0]).toEqual(['grace@example.com', expect.any(String)]);
  expect(kept.slice(1, -1).map(([, hash]) => hash)).toEqual(Array.from({ length: 49 }, (_, index) => `${index + 12}`));
});

describe('a sign-up with a taken address', () => {
  test('gives the browser the same cookie as any other', async () => {
    await start();
    await confirmedUser();
    const cookies = [await signUp(ADA, STRANGER), await signUp('nobody@example.com', STRANGER)].map(({ headers }) =>
      headers.getSetCookie().map((cookie) => cookie.replace(/=[\w-]{43};/, '=MARK;').replace(/Expires=[^;]+/, '')),
    );
    expect(cookies[0]).toEqual([expect.stringMatching(`^${COOKIE}=MARK; .*Path=/auth; .*HttpOnly; SameSite=Lax`)]);
    expect(cookies[0]).toEqual(cookies[1]);
  });

  test('waits like any other: the same answer, and email_not_verified at a sign-in with its password', async () => {
    await start();
    await confirmedUser();
    const [taken, free] = [await signUp(ADA, STRANGER), await signUp('nobody@example.com', STRANGER)];
    expect([taken.status, taken.body]).toEqual([free.status, free.body]);
    const [ofTaken, ofFree] = [await login(ADA, STRANGER), await login('nobody@example.com', STRANGER)];
    expectProblem(ofTaken, 401, 'email_not_verified');
    expect(ofTaken.body).toEqual(ofFree.body);
    expect((await rows()).map(({ email, has_key }) => [email, has_key])).toEqual([
      [ADA, false],
      ['nobody@example.com', true],
    ]);
    expect((await login(ADA)).status).toBe(200);
    expect((await app.mailsTo(ADA, 2))[1]?.text).not.toContain('/auth/registration');
  });

  test('gets the same answers for the same time when a new link was requested', async () => {
    await start();
    await confirmedUser();
    for (const email of [ADA, 'nobody@example.com']) await signUp(email, STRANGER);
    await app.mailsTo('nobody@example.com');
    app.clock.advance('2d');
    for (const email of [ADA, 'nobody@example.com']) await resend(email);
    const link = await linkOf('nobody@example.com', 2);
    const renewed = new Date(app.clock.now() + 3 * 86_400_000).getTime();
    await until(async () => (await rows()).every(({ expires_at }) => expires_at.getTime() === renewed));
    app.clock.advance('2d');
    for (const email of [ADA, 'nobody@example.com'])
      expectProblem(await login(email, STRANGER), 401, 'email_not_verified');
    expect((await app.open(link)).status).toBe(200);
    app.clock.advance('1d');
    for (const email of [ADA]) expectProblem(await login(email, STRANGER), 401, 'incorrect_credentials');
    expect(await app.mailCount()).toBe(4); // two links, the notice, and the link that was sent again
  });

  test('does not affect what its owner does', async () => {
    await start();
    await confirmedUser();
    for (let i = 0; i < 3; i++) await signUp(ADA, `${STRANGER} ${i}`);
    await signUp(ADA, PASSWORD); // even with the same password
    const owner = app.client();
    expect((await owner.login(ADA)).status).toBe(200);
    expect((await owner.changePassword(PASSWORD, 'a new sentence of some length')).status).toBe(200);
    expect((await owner.login(ADA, 'a new sentence of some length')).status).toBe(200);
  });
});

describe('a new link', () => {
  test('supersedes the older one of the same sign-up, and leaves the other sign-ups unchanged', async () => {
    await start();
    await signUp(ADA);
    const first = await linkOf(ADA, 1);
    const cookie = cookieOf(await signUp(ADA, STRANGER));
    const second = await linkOf(ADA, 2);
    expect((await resend(ADA, cookie)).status).toBe(202);
    const third = await linkOf(ADA, 3);
    expect((await app.open(second)).status).toBe(400);
    expect((await app.open(third, { method: 'HEAD' })).status).toBe(200);
    expect((await app.open(first)).status).toBe(200);
    expect((await login(ADA)).status).toBe(200);
    expect((await app.open(third)).status).toBe(400);
    expect((await app.open(third, { method: 'HEAD' })).status).toBe(400);
  });

  test.each([false, true])(
    'is for the sign-up of the browser that requests it, even if another person has signed up since (session: %s)',
    async (isSession) => {
      await start({ sessionOnEmailVerification: isSession });
      const cookie = cookieOf(await signUp(ADA));
      const first = await linkOf(ADA, 1);
      await signUp(ADA, STRANGER);
      const ofStranger = await linkOf(ADA, 2);
      const asked = await resend(ADA, cookie);
      expect([asked.status, cookieOf(asked)]).toEqual([202, cookie]); // which is kept for longer
      const third = await linkOf(ADA, 3);
      expect((await app.open(first)).status).toBe(400);
      const { status, cookies } = await app.open(third, { headers: { cookie } });
      expect([status, cookies.has('refresh_token')]).toEqual([200, isSession]);
      expect(cookies.get('email_verification_access_token')).toContain('Max-Age=0');
      expect((await login(ADA)).status).toBe(200);
      expectProblem(await login(ADA, STRANGER), 401, 'email_not_verified');
      expect((await app.open(ofStranger)).status).toBe(400);
    },
  );

  test('is not mailed to an unknown browser while several sign-ups wait', async () => {
    await start();
    await signUp(ADA);
    const own = await linkOf(ADA, 1);
    await signUp(ADA, STRANGER);
    await linkOf(ADA, 2);
    const cookie = 'email_verification_access_token=of-no-sign-up';
    for (const asked of [await resend(ADA), await resend(ADA, cookie)]) expect(asked.status).toBe(202);
    const [, , ...mails] = await app.mailsTo(ADA, 4);
    for (const mail of mails) {
      expect(mail.subject).toBe('Several sign-ups are waiting for confirmation');
      expect(`${mail.text}${mail.html}`).not.toContain('/auth/registration/');
    }
    expect((await app.open(own)).status).toBe(200); // it was not superseded
    expect((await login(ADA)).status).toBe(200);
    expect(await app.mailCount()).toBe(4);
  });

  test("does not extend the validity of another sign-up's link", async () => {
    await start();
    await signUp(ADA, STRANGER);
    const ofStranger = await linkOf(ADA, 1);
    app.clock.advance('2d');
    const cookie = cookieOf(await signUp(ADA));
    await linkOf(ADA, 2);
    await resend(ADA, cookie);
    const own = await linkOf(ADA, 3);
    app.clock.advance('1d');
    expect((await app.open(ofStranger)).status).toBe(400);
    expectProblem(await login(ADA, STRANGER), 401, 'email_not_verified'); // it still waits, as for a taken address
    expect((await app.open(own)).status).toBe(200);
  });

  test('is mailed only to the address in the request, whatever sign-up the browser has made', async () => {
    await start();
    const cookie = cookieOf(await signUp(ADA));
    await linkOf(ADA, 1);
    await signUp('grace@example.com', STRANGER);
    const older = await linkOf('grace@example.com', 1);
    await resend('grace@example.com', cookie);
    await linkOf('grace@example.com', 2);
    expect((await app.open(older)).status).toBe(400);
    expect((await app.open(await linkOf(ADA, 1))).status).toBe(200);
    expect(await app.mailCount()).toBe(3);
  });

  test('is not mailed once the sign-up has expired', async () => {
    await start();
    await signUp(ADA);
    await linkOf(ADA, 1);
    app.clock.advance('3d');
    await resend(ADA);
    expect(await app.mailCount()).toBe(1);
    expectProblem(await login(ADA), 401, 'incorrect_credentials');
  });
});

test('a browser is signed in by the link of its own sign-up only, even if two have the same password', async () => {
  await start({ sessionOnEmailVerification: true });
  const first = await signUp(ADA);
  await app.mailsTo(ADA);
  const second = await signUp(ADA);
  expect(cookieOf(first)).not.toBe(cookieOf(second));
  const opened = await app.open(await linkOf(ADA, 2), { headers: { cookie: cookieOf(first) } });
  expect([opened.status, opened.cookies.get('refresh_token'), await app.liveSessions()]).toEqual([200, undefined, 0]);
});

test('without PREVENT_ENUMERATION a taken address is refused, and no pending sign-up is stored', async () => {
  await start({ preventEnumeration: false });
  await confirmedUser();
  expectProblem(await signUp(ADA, STRANGER), 409, 'email_already_registered');
  await signUp('nobody@example.com', STRANGER);
  expect((await rows()).map(({ email }) => email)).toEqual(['nobody@example.com']);
  expectProblem(await login(ADA, STRANGER), 401, 'incorrect_credentials');
  expectProblem(await login('nobody@example.com', STRANGER), 401, 'email_not_verified');
});
