import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { COOKIE, createMagicLinkApp, type MagicLinkApp } from '../../support/magic-link-app.js';
import { createPerson, type Person } from '../../support/person.js';
import { claimsOf } from '../../support/race.js';
import { enrol, verify } from '../../support/totp-app.js';

const DONE = 'https://app.example.com/home?from=mail';

/** Gives a person an authenticator app, and ends the session in which it was set up. */
async function withFactor(app: MagicLinkApp): Promise<Person & { next(): string }> {
  const person = await createPerson(app);
  const { access } = await app.auth.sessions.open({ id: person.id });
  const enrolment = await enrol(app, Object.assign(app.client(), { access }));
  await app.auth.sessions.revokeAll(person.id);
  await app.mailsTo(person.email);
  return { ...person, next: enrolment.next };
}

describe('the built-in page', () => {
  let app: MagicLinkApp;
  beforeAll(async () => {
    app = await createMagicLinkApp();
  });
  afterAll(() => app.close());

  test('has one button, which signs the browser in without a script, and shows the address of the user', async () => {
    const { email, id, live } = await createPerson(app);
    const { link, request, code } = await app.mailed(email);
    const page = await app.open(link);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.html.match(/<(form|button|input|script|a)\b[^>]*>/g)).toEqual([
      '<form method="post" action="/auth/magic-link/sign-in">',
      '<button>',
    ]);
    expect(page.html).toContain(`<strong>${email}</strong>`);
    expect(page.html).not.toContain(link.split('/').at(-1));
    expect(page.headers.get('content-security-policy')).toContain("form-action 'self';");
    expect([page.headers.get('cache-control'), page.headers.get('x-frame-options')]).toEqual(['no-store', 'DENY']);
    const cookie = page.cookies.get(COOKIE)?.split(';')[0] ?? '';

    const done = await app.press(cookie);
    expect([done.status, done.html]).toEqual([200, expect.stringContaining('<h1>You are signed in</h1>')]);
    expect(done.cookies.get(COOKIE)).toMatch(/Max-Age=0/);
    const refreshToken = done.cookies.get('refresh_token')?.split(';')[0]?.split('=')[1] ?? '';
    expect(claimsOf(refreshToken)).toMatchObject({ sub: id, amr: ['mail'] });
    expect(await live()).toHaveLength(1);

    const again = await app.press(cookie);
    expect([again.status, again.html]).toEqual([400, expect.stringContaining('This link cannot be used')]);
    expect((await app.verify({ request, code })).status).toBe(401);
  });

  test('is not shown for an unknown or malformed key, and its form needs the cookie', async () => {
    for (const key of ['x', 'x'.repeat(43), '%00', 'sign-in', 'verify']) {
      const page = await app.open(`${app.url}/auth/magic-link/${key}`);
      expect([key, page.status, page.cookies.size]).toEqual([key, 400, 0]);
      expect(page.html).toContain('This link cannot be used');
    }
    const page = await app.press('');
    expect([page.status, page.html]).toEqual([400, expect.stringContaining('This link cannot be used')]);
  });

  test('says that a second factor follows, and does not use up the code, with which the app can ask for the factor', async () => {
    const { email, id, next, live } = await withFactor(app);
    const { link, request, code } = await app.mailed(email);
    const cookie = await app.cookieOf(link);
    for (const _time of [1, 2]) {
      const page = await app.press(cookie);
      expect([page.status, page.cookies.size]).toEqual([200, 0]);
      expect(page.html).toMatch(/Enter the code from the mail[\s\S]*second factor/);
    }
    const { rows } = await app.database.pool.query('select 1 from auth_challenge where user_id = $1', [id]);
    expect([rows, await live()]).toEqual([[], []]);

    const challenged = await app.verify({ request, code });
    expect([challenged.status, challenged.body.code, challenged.cookie]).toEqual([
      401,
      'second_factor_required',
      undefined,
    ]);
    expect(challenged.body).toMatchObject({ methods: ['totp', 'recovery_code'], expires_in: 300 });
    const client = app.client();
    expect((await verify(client, { challenge: challenged.body.challenge, code: next() })).status).toBe(200);
    expect(claimsOf(client.access).amr).toEqual(['mail', 'otp', 'mfa']);
    expect(await live()).toHaveLength(1);
  });
});

describe('a challenge', () => {
  let app: MagicLinkApp;
  beforeAll(async () => {
    app = await createMagicLinkApp({ magicLinkDoneRedirect: DONE });
  });
  afterAll(() => app.close());

  test('uses up the link and the code: a user who abandons it needs a new mail', async () => {
    const { email, live, next } = await withFactor(app);
    const first = await app.mailed(email);
    const cookie = await app.cookieOf(first.link);
    const answer = await app.signIn(cookie);
    expect([answer.status, answer.body.code]).toEqual([401, 'second_factor_required']);
    expect(answer.headers.getSetCookie()).toEqual([expect.stringMatching(new RegExp(`^${COOKIE}=;.*Max-Age=0`))]);
    expect((await app.signIn(cookie)).body.code).toBe('token_not_valid');
    expect((await app.verify({ request: first.request, code: first.code })).body.code).toBe('code_not_valid');
    expect(await live()).toEqual([]);

    const second = await app.mailed(email);
    const { body } = await app.verify({ request: second.request, code: second.code });
    expect((await verify(app.client(), { challenge: body.challenge, code: next() })).status).toBe(200);
  });

  test('of the built-in page travels in the fragment of MAGIC_LINK_DONE_REDIRECT', async () => {
    const { email, next } = await withFactor(app);
    const { link } = await app.mailed(email);
    const page = await app.open(link);
    expect(page.headers.get('content-security-policy')).toContain("form-action 'self' https://app.example.com;");
    const cookie = page.cookies.get(COOKIE)?.split(';')[0] ?? '';
    const answer = await app.press(cookie);
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([303, 'no-store']);
    expect([...answer.cookies.keys()]).toEqual([COOKIE]);
    const [target, fragment] = answer.location?.split('#') ?? [];
    const { challenge = '', ...members } = Object.fromEntries(new URLSearchParams(fragment));
    expect([target, members]).toEqual([
      DONE,
      { error: 'second_factor_required', status: '401', methods: 'totp,recovery_code', expires_in: '300' },
    ]);
    expect((await verify(app.client(), { challenge, code: next() })).status).toBe(200);
  });

  test('is not created for a user without a second factor: the page leads to the app', async () => {
    const { email, live } = await createPerson(app);
    const answer = await app.press(await app.cookieOf((await app.mailed(email)).link));
    expect([answer.status, answer.location]).toEqual([303, DONE]);
    expect([...answer.cookies.keys()].sort()).toEqual([COOKIE, 'refresh_token']);
    expect(await live()).toHaveLength(1);
  });
});

describe('settings', () => {
  let app: MagicLinkApp;
  afterEach(() => app.close());

  test('lead the link to the page of the app, with the cookie', async () => {
    app = await createMagicLinkApp({ magicLinkRedirect: 'https://app.example.com/mail' });
    const { email } = await createPerson(app);
    const opened = await app.open((await app.mailed(email)).link);
    expect([opened.status, opened.location]).toEqual([303, 'https://app.example.com/mail']);
    expect((await app.signIn(opened.cookies.get(COOKIE)?.split(';')[0] ?? '')).status).toBe(200);
  });

  test('set the lifetime, which the mail says', async () => {
    app = await createMagicLinkApp({ magicLinkLifetime: '1m' });
    const { email } = await createPerson(app);
    const { link } = await app.mailed(email);
    expect(app.sink.mails[0]?.text).toContain('work once, for 1 minute.');
    app.clock.advance(60);
    expect((await app.open(link)).status).toBe(400);
  });

  test('of body mode leave the page without a button, and the code for the app', async () => {
    app = await createMagicLinkApp({ refreshTokenAsCookie: false });
    const { email, live } = await createPerson(app);
    const { link, request, code } = await app.mailed(email);
    const page = await app.open(link);
    expect([page.status, page.html.includes('<button>')]).toEqual([200, false]);
    expect(page.html).toContain('Enter the code from the mail');
    const posted = await app.press(page.cookies.get(COOKIE)?.split(';')[0] ?? '');
    expect([posted.status, posted.html, await live()]).toEqual([200, page.html, []]);
    expect((await app.verify({ request, code })).status).toBe(200);
  });

  test('of a Secure cookie give it the prefix that no other host of the domain can set', async () => {
    app = await createMagicLinkApp({ refreshTokenCookieSecure: true });
    const { email } = await createPerson(app);
    const { link } = await app.mailed(email);
    const cookie = (await app.open(link)).cookies.get(`__Host-${COOKIE}`) ?? '';
    expect(cookie).toMatch(/; Path=\/;.*; Secure/);
    expect((await app.signIn(cookie.split(';')[0] ?? '')).status).toBe(200);
  });
});
