import { afterEach, describe, expect, test } from 'vitest';
import type { SettingsInput } from '../../../src/index.js';
import { expectProblem } from '../../support/expect-problem.js';
import { createMailApp, type MailApp } from '../../support/mail-app.js';
import { PASSWORD } from '../../support/test-client.js';

const NEW = 'a new sentence of some length';
const COOKIE = 'password_reset_access_token';
let app: MailApp;
afterEach(() => app.close());

const ask = (email: string) => app.client().send('POST', '/auth/password/reset', { email });
const setNew = (cookie: string, newPassword = NEW, headers: Record<string, string> = {}) =>
  app.client().send('POST', '/auth/password/reset/set-new', { newPassword }, { cookie, ...headers });

/** An app with a user who has forgotten the password, and the cookie that the mailed link sets. */
async function lost(settings: SettingsInput = {}): Promise<string> {
  app = await createMailApp(settings);
  await app.signedUp('ada@example.com');
  await ask('ada@example.com');
  return cookieOf(await app.linkTo('ada@example.com', settings.emailVerification === 'optional' ? 2 : 1));
}

async function cookieOf(link: string): Promise<string> {
  const opened = await app.open(link);
  expect([opened.status, opened.headers.get('cache-control')]).toEqual([303, 'no-store']);
  const cookie = opened.cookies.get(COOKIE) ?? '';
  expect(cookie).toMatch(/HttpOnly/i);
  expect(cookie).toMatch(/SameSite=Lax/i);
  return cookie.split(';')[0] ?? '';
}

describe('a password reset', () => {
  test.each(['none', 'optional'] as const)(
    'sets the password, signs in and ends every older session (EMAIL_VERIFICATION=%s)',
    async (emailVerification) => {
      const cookie = await lost({ emailVerification });
      const answer = await setNew(cookie);
      expect([answer.status, Object.keys(answer.body)]).toEqual([200, ['access']]);
      expect(answer.cookie?.name).toBe('refresh_token');
      expect(await app.liveSessions()).toBe(1);
      expect((await app.client().login('ada@example.com', NEW)).status).toBe(200);
      expectProblem(await app.client().login('ada@example.com', PASSWORD), 401, 'incorrect_credentials');
      const { rows } = await app.database.pool.query('select email_verified from app_user');
      expect(rows).toEqual([{ email_verified: true }]);
    },
  );

  test('mails nothing to an address that has only a pending sign-up, and leaves the sign-up unchanged', async () => {
    app = await createMailApp({ emailVerification: 'mandatory' });
    await app.client().send('POST', '/auth/registration', { email: 'ada@example.com', password: PASSWORD });
    const verification = await app.linkTo('ada@example.com');
    expect((await ask('ada@example.com')).status).toBe(202);
    expect(await app.mailCount()).toBe(1);
    expect((await app.open(verification)).status).toBe(200);
  });

  test('confirms an unconfirmed address', async () => {
    app = await createMailApp({ emailVerification: 'optional' });
    await app.signedUp('ada@example.com');
    const verification = await app.linkTo('ada@example.com');
    await ask('ada@example.com');
    expect((await setNew(await cookieOf(await app.linkTo('ada@example.com', 2)))).status).toBe(200);
    expect((await app.client().login('ada@example.com', NEW)).status).toBe(200);
    expect((await app.open(verification)).status).toBe(400);
  });

  test('answers in the same way for an unknown address, and mails nothing to it', async () => {
    app = await createMailApp({});
    await app.signedUp('ada@example.com');
    const [known, unknown] = [await ask('ada@example.com'), await ask('nobody@example.com')];
    expect([known.status, known.body]).toEqual([202, unknown.body]);
    expect(unknown.status).toBe(202);
    expect(await app.mailCount()).toBe(1);
  });

  test('is not used up by a scanner that opens the link first', async () => {
    app = await createMailApp({});
    await app.signedUp('ada@example.com');
    await ask('ada@example.com');
    const link = await app.linkTo('ada@example.com');
    await app.open(link);
    await app.open(link, { method: 'HEAD' });
    expect((await setNew(await cookieOf(link))).status).toBe(200);
    expect((await app.open(link)).status).toBe(400);
  });

  test('lets one of many requests at the same moment set the password', async () => {
    const cookie = await lost();
    const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => setNew(cookie, `the new password ${n}`)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 200)) expectProblem(answer, 401, 'token_not_valid');
    const winner = answers.findIndex(({ status }) => status === 200);
    expect((await app.client().login('ada@example.com', `the new password ${winner}`)).status).toBe(200);
    expect(await app.liveSessions()).toBe(2);
  });

  test('keeps the link valid for another try when the new password is refused', async () => {
    const cookie = await lost();
    expectProblem(await setNew(cookie, 'short'), 400, 'validation_failed');
    expectProblem(await setNew(cookie, 'ada@example.com'), 400, 'validation_failed');
    expect((await setNew(cookie)).status).toBe(200);
  });

  test('refuses an expired link, one of a deactivated user, a superseded one and a missing one', async () => {
    const cookie = await lost();
    await app.database.pool.query('update app_user set is_active = false');
    expectProblem(await setNew(cookie), 401, 'token_not_valid');
    await app.database.pool.query('update app_user set is_active = true');
    await ask('ada@example.com');
    const newer = await cookieOf(await app.linkTo('ada@example.com', 2));
    expectProblem(await setNew(cookie), 401, 'token_not_valid');
    app.clock.advance('1h');
    expectProblem(await setNew(newer), 401, 'token_not_valid');
    expectProblem(
      await app.client().send('POST', '/auth/password/reset/set-new', { newPassword: NEW }),
      401,
      'token_not_valid',
    );
    expect((await app.client().login('ada@example.com')).status).toBe(200);
  });

  test('is refused to a page of another site, in body mode as well', async () => {
    const cookie = await lost({ refreshTokenAsCookie: false });
    expectProblem(await setNew(cookie, NEW, { origin: 'https://evil.example' }), 403, 'csrf_failed');
    const answer = await setNew(cookie);
    expect([answer.status, Object.keys(answer.body).sort()]).toEqual([200, ['access', 'refresh']]);
  });

  test('leads to the page of the app if there is one', async () => {
    app = await createMailApp({ passwordResetRedirect: 'https://app.example.com/new-password' });
    await app.signedUp('ada@example.com');
    await ask('ada@example.com');
    const opened = await app.open(await app.linkTo('ada@example.com'));
    expect(opened.location).toBe('https://app.example.com/new-password');
  });

  test('stops working when the password is changed in another way', async () => {
    app = await createMailApp({});
    const client = await app.signedUp('ada@example.com');
    await ask('ada@example.com');
    const cookie = await cookieOf(await app.linkTo('ada@example.com'));
    expect((await client.changePassword(PASSWORD, NEW)).status).toBe(200);
    expectProblem(await setNew(cookie, 'yet another password'), 401, 'token_not_valid');
  });
});

describe('the built-in form', () => {
  const submit = (cookie: string, newPassword: string, headers: Record<string, string> = {}) =>
    app.open(`${app.url}/auth/password/reset/form`, {
      method: 'POST',
      body: new URLSearchParams({ newPassword }),
      headers: { cookie, origin: app.url, ...headers },
    });

  test('sets the password without scripts, and signs the browser in', async () => {
    app = await createMailApp({});
    await app.signedUp('ada@example.com');
    await ask('ada@example.com');
    const opened = await app.open(await app.linkTo('ada@example.com'));
    const cookie = opened.cookies.get(COOKIE)?.split(';')[0] ?? '';
    const form = await app.open(opened.location ?? '', { headers: { cookie } });
    expect([form.status, form.html]).toEqual([200, expect.stringContaining('action="/auth/password/reset/form"')]);
    expect(form.html).not.toContain(cookie.split('=')[1]);
    const refused = await submit(cookie, 'short');
    expect([refused.status, refused.html]).toEqual([400, expect.stringContaining('at least 8 characters')]);
    const done = await submit(cookie, NEW);
    expect(done.status).toBe(200);
    expect(done.cookies.get('refresh_token')).toContain('HttpOnly');
    expect(done.cookies.get(COOKIE)).toMatch(/Max-Age=0|1970/);
    expect((await app.client().login('ada@example.com', NEW)).status).toBe(200);
    expect((await submit(cookie, 'once more, a password')).status).toBe(400);
  });

  test('is not shown without the cookie, and accepts no post from another site', async () => {
    const cookie = await lost();
    expect((await app.open(`${app.url}/auth/password/reset/form`)).status).toBe(400);
    expect((await submit(cookie, NEW, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await app.client().login('ada@example.com')).status).toBe(200);
  });

  test('leaves no unused session behind, in body mode', async () => {
    const cookie = await lost({ refreshTokenAsCookie: false });
    expect((await submit(cookie, NEW)).status).toBe(200);
    expect(await app.liveSessions()).toBe(0);
  });
});
