import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EmailOwnership } from '../../../src/mail/email-ownership.js';
import { expectProblem } from '../../support/expect-problem.js';
import { createMailApp, type MailApp } from '../../support/mail-app.js';
import { PASSWORD } from '../../support/test-client.js';

let app: MailApp;
afterEach(() => app.close());

const users = async () => (await app.database.pool.query('select * from app_user order by email')).rows;

describe('mandatory verification', () => {
  beforeEach(async () => {
    app = await createMailApp({ emailVerification: 'mandatory' });
  });

  test('opens no session at sign-up, and none at sign-in until the mailed link is opened', async () => {
    const client = app.client();
    const signUp = await client.send('POST', '/auth/registration', { email: 'Ada@Example.com', password: PASSWORD });
    expect([signUp.status, Object.keys(signUp.body), signUp.cookie]).toEqual([201, ['detail'], undefined]);
    expect(await app.liveSessions()).toBe(0);
    expectProblem(await client.login('ada@example.com'), 401, 'email_not_verified');
    expectProblem(await client.login('ada@example.com', 'a wrong password'), 401, 'incorrect_credentials');

    const link = await app.linkTo('ada@example.com');
    const page = await app.open(link);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.cookies.size).toBe(0);
    expect(await app.liveSessions()).toBe(0);
    expect((await client.login('ada@example.com')).status).toBe(200);
    expect((await client.get('/auth/user')).body.emailVerified).toBe(true);
  });

  test('stores only the hash of the key in the link', async () => {
    await app.client().send('POST', '/auth/registration', { email: 'ada@example.com', password: PASSWORD });
    const key = (await app.linkTo('ada@example.com')).split('/').at(-1) ?? '';
    expect(key).toMatch(/^[\w-]{43}$/);
    await app.auth.close();
    const { rows } = await app.database.pool.query('select k::text from auth_pending_sign_up k');
    const left = await app.database.pool.query('select * from auth_outbox_mail');
    expect([rows.length, left.rows.length]).toEqual([1, 0]);
    expect(JSON.stringify(rows)).not.toContain(key);
  });

  test('shows the same page when the link is opened again, and a HEAD request confirms nothing', async () => {
    await app.client().send('POST', '/auth/registration', { email: 'ada@example.com', password: PASSWORD });
    const link = await app.linkTo('ada@example.com');
    expect((await app.open(link, { method: 'HEAD' })).status).toBe(200);
    expect(await users()).toEqual([]);
    const pages = await Promise.all([app.open(link), app.open(link), app.open(link)]);
    expect(pages.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect((await app.open(link)).status).toBe(200);
    expect((await users())[0].email_verified).toBe(true);
  });

  test('answers a sign-up with a taken address like any other, and mails a notice to its owner', async () => {
    const owner = app.client();
    const first = await owner.send('POST', '/auth/registration', { email: 'ada@example.com', password: PASSWORD });
    await app.open(await app.linkTo('ada@example.com'));
    const again = { email: 'ADA@example.com ', password: 'another long password' };
    const second = await app.client().send('POST', '/auth/registration', again);
    expect([second.status, second.body]).toEqual([first.status, first.body]);
    const notice = (await app.mailsTo('ada@example.com', 2))[1];
    expect(notice?.text).not.toContain('/auth/');
    expect((await owner.login('ada@example.com')).status).toBe(200);
    expectProblem(await owner.login('ada@example.com', again.password), 401, 'email_not_verified');
    expect(await users()).toHaveLength(1);
  });

  test('gives an address with only unconfirmed sign-ups to the first person who confirms it', async () => {
    const stranger = app.client();
    await stranger.send('POST', '/auth/registration', {
      email: 'ada@example.com',
      password: 'the password of a stranger',
    });
    const older = await app.linkTo('ada@example.com');
    const owner = app.client();
    await owner.send('POST', '/auth/registration', { email: 'ada@example.com', password: PASSWORD });
    const newer = await app.linkTo('ada@example.com', 2);
    expect((await app.open(newer)).status).toBe(200);
    expect((await app.open(older)).status).toBe(400);
    expect((await owner.login('ada@example.com')).status).toBe(200);
    expectProblem(await stranger.login('ada@example.com', 'the password of a stranger'), 401, 'email_not_verified');
    expect(await users()).toHaveLength(1);
  });

  test('creates one user from many sign-ups at the same moment, with the password of the one whose mail was opened', async () => {
    const passwords = Array.from({ length: 6 }, (_, index) => `the password number ${index}`);
    const signUp = (password: string) =>
      app.client().send('POST', '/auth/registration', { email: 'ada@example.com', password });
    const answers = await Promise.all(passwords.map(signUp));
    expect(answers.map(({ status }) => status)).toEqual(passwords.map(() => 201));
    expect(await users()).toEqual([]);
    await app.auth.close();
    const links = app.sink.mails.flatMap(({ text }) => text?.match(/http:\/\/accounts\.test\/\S+/) ?? []);
    const opened = await Promise.all(links.map((link) => app.open(link)));
    expect(opened.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await users()).toHaveLength(1);
    const logins = await Promise.all(passwords.map((password) => app.client().login('ada@example.com', password)));
    expect(logins.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test('creates the user also if another account had the address for a moment', async () => {
    await app.client().send('POST', '/auth/registration', { email: 'ada@example.com', password: PASSWORD });
    const link = await app.linkTo('ada@example.com');
    const { claim } = EmailOwnership.prototype;
    const claims = vi.spyOn(EmailOwnership.prototype, 'claim').mockImplementation(async function (
      this: EmailOwnership,
      ...parameters
    ) {
      const isFirst = claims.mock.calls.length === 1;
      // Code of the app, which does not lock the address.
      if (!isFirst) await app.database.pool.query('delete from app_user');
      const isFree = await claim.apply(this, parameters);
      const insert = "insert into app_user (id, email) values (gen_random_uuid(), 'ada@example.com')";
      if (isFirst) await app.database.pool.query(insert);
      return isFree;
    });
    expect((await app.open(link)).status).toBe(200);
    expect(claims).toHaveBeenCalledTimes(2);
    claims.mockRestore();
    expect((await app.client().login('ada@example.com')).status).toBe(200);
    expect(await users()).toHaveLength(1);
  });

  test('refuses an expired link and an invented one', async () => {
    await app.client().send('POST', '/auth/registration', { email: 'ada@example.com', password: PASSWORD });
    const link = await app.linkTo('ada@example.com');
    expect((await app.open(`${app.url}/auth/registration/verification/${'A'.repeat(43)}`)).status).toBe(400);
    expect((await app.open(`${app.url}/auth/registration/verification/x`)).status).toBe(400);
    app.clock.advance('3d');
    expect((await app.open(link)).status).toBe(400);
    expect(await users()).toEqual([]);
  });

  test('mails a new link on request, which supersedes the older, and answers in the same way for every address', async () => {
    await app.client().send('POST', '/auth/registration', { email: 'ada@example.com', password: PASSWORD });
    const older = await app.linkTo('ada@example.com');
    const resend = (email: string) => app.client().send('POST', '/auth/registration/verification/resend', { email });
    const [known, unknown] = [await resend('ada@example.com'), await resend('nobody@example.com')];
    expect([known.status, known.body]).toEqual([202, unknown.body]);
    expect(unknown.status).toBe(202);
    const newer = await app.linkTo('ada@example.com', 2);
    expect((await app.open(older)).status).toBe(400);
    expect((await app.open(newer)).status).toBe(200);
    await resend('ada@example.com');
    expect(await app.mailCount()).toBe(2);
  });
});

test('with SESSION_ON_EMAIL_VERIFICATION the link opens a session, once, in the browser that signed up', async () => {
  app = await createMailApp({
    emailVerification: 'mandatory',
    sessionOnEmailVerification: true,
    emailVerifiedRedirect: 'https://app.example.com/welcome',
  });
  const signUp = { email: 'ada@example.com', password: PASSWORD };
  const { headers } = await app.client().send('POST', '/auth/registration', signUp);
  const cookie = headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const link = await app.linkTo('ada@example.com');
  const first = await app.open(link, { headers: { cookie } });
  expect([first.status, first.location, first.html]).toEqual([303, 'https://app.example.com/welcome', '']);
  expect(first.cookies.get('refresh_token')).toContain('HttpOnly');
  const second = await app.open(link, { headers: { cookie } });
  expect([second.status, second.location, second.cookies.size]).toEqual([303, 'https://app.example.com/welcome', 0]);
  expect(await app.liveSessions()).toBe(1);
});

test('without PREVENT_ENUMERATION a taken address is answered with 409', async () => {
  app = await createMailApp({ emailVerification: 'mandatory', preventEnumeration: false });
  await app.client().send('POST', '/auth/registration', { email: 'ada@example.com', password: PASSWORD });
  await app.open(await app.linkTo('ada@example.com'));
  const taken = { email: 'ada@example.com', password: PASSWORD };
  expectProblem(await app.client().send('POST', '/auth/registration', taken), 409, 'email_already_registered');
  expect(await app.mailCount()).toBe(1);
});

test('a link of an unconfirmed user is refused when it is expired, or the user deactivated or deleted', async () => {
  app = await createMailApp({ emailVerification: 'optional' });
  await app.signedUp('ada@example.com');
  const link = await app.linkTo('ada@example.com');
  await app.database.pool.query('update app_user set is_active = false');
  expect((await app.open(link)).status).toBe(400);
  await app.database.pool.query('update app_user set is_active = true');
  app.clock.advance('3d');
  expect((await app.open(link)).status).toBe(400);
  expect((await users())[0].email_verified).toBe(false);
  await app.database.pool.query('delete from app_user');
  expect((await app.open(link)).status).toBe(400);
});

test('optional verification opens a session at once; the claim follows at the first refresh after the link was opened', async () => {
  app = await createMailApp({ emailVerification: 'optional' });
  const client = await app.signedUp('ada@example.com');
  expect((await client.get('/auth/user')).body.emailVerified).toBe(false);
  expectProblem(await app.client().register('ada@example.com'), 409, 'email_already_registered');
  expect((await app.open(await app.linkTo('ada@example.com'))).status).toBe(200);
  await client.refresh();
  const claims = JSON.parse(Buffer.from(client.access.split('.')[1] ?? '', 'base64url').toString());
  expect(claims.email_verified).toBe(true);
});

test('without verification no mail is sent at sign-up, and an address counts as confirmed', async () => {
  app = await createMailApp({ emailVerification: 'none' });
  const client = await app.signedUp('ada@example.com');
  expect((await client.get('/auth/user')).body.emailVerified).toBe(true);
  const answer = await client.send('POST', '/auth/registration/verification/resend', { email: 'ada@example.com' });
  expect(answer.status).toBe(202);
  expect(await app.mailCount()).toBe(0);
});

test('links use PUBLIC_URL, whatever host a request names', async () => {
  app = await createMailApp({ emailVerification: 'mandatory' });
  const forged = { host: 'evil.example', 'x-forwarded-host': 'evil.example' };
  await app.client().send('POST', '/auth/registration', { email: 'ada@example.com', password: PASSWORD }, forged);
  const [mail] = await app.mailsTo('ada@example.com');
  expect(mail?.text).toContain('http://accounts.test/auth/registration/verification/');
  expect(`${mail?.text}${mail?.html}`).not.toContain('evil.example');
});

test('mails to one mailbox are limited in the same way for known and unknown addresses', async () => {
  app = await createMailApp({ emailVerification: 'mandatory', mailRateLimit: '2/1h/account,4/1h/ip' });
  const resend = (email: string) => app.client().send('POST', '/auth/registration/verification/resend', { email });
  expect([(await resend('a@example.com')).status, (await resend('A@example.com')).status]).toEqual([202, 202]);
  const refused = await resend('a@example.com');
  expectProblem(refused, 429, 'too_many_requests');
  expect(Number(refused.headers.get('retry-after'))).toBe(3600);
  expect((await resend('b@example.com')).status).toBe(202);
  expectProblem(await resend('c@example.com'), 429, 'too_many_requests');
  app.clock.advance('1h');
  expect((await resend('a@example.com')).status).toBe(202);
});
