import { request } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { MailApp } from '../../support/mail-app.js';
import { startTinyIssuer, type TinyIssuer } from './tiny-issuer.js';
import { Browser, createSocialApp, HOME, tinyProviders } from './tiny-issuer-app.js';

let issuer: TinyIssuer;
let app: MailApp;

beforeAll(async () => {
  issuer = await startTinyIssuer();
  app = await createSocialApp({ providers: tinyProviders(issuer), keepTokens: true });
  issuer.now = () => Math.floor(app.clock.now() / 1000);
});
afterAll(async () => {
  await app.close();
  await issuer.close();
});
let count = 0;
beforeEach(() => {
  const sub = `person-${++count}`;
  issuer.claims = {
    sub,
    email: `${sub}@example.com`,
    email_verified: true,
    given_name: 'Ada',
    family_name: 'Lovelace',
  };
  issuer.tamper = (claims) => claims;
  issuer.instead = undefined;
});

const accounts = async (): Promise<Record<string, unknown>[]> =>
  (await app.database.pool.query('select * from auth_social_account where sub = $1', [issuer.claims['sub']])).rows;

describe('a sign-in with a provider', () => {
  test('creates the user, connects the account, and sets the refresh cookie', async () => {
    const browser = new Browser(app);
    const start = await browser.open('/auth/social/tiny?returnTo=/welcome');
    const url = new URL(start.location ?? '');
    expect([start.status, url.origin + url.pathname]).toEqual([303, `${issuer.url}/authorize`]);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: 'client',
      response_type: 'code',
      scope: 'openid email profile',
      redirect_uri: `${HOME}auth/social/tiny/callback`,
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
    });
    expect(start.cookies.get('social_browser')).toMatch(
      /^social_browser=[\w-]{43}; Max-Age=600; Path=\/auth; Expires=[^;]+; HttpOnly; SameSite=Lax$/,
    );
    const back = await browser.open(issuer.authorize(start.location ?? ''));
    expect([back.status, back.location]).toEqual([303, `${HOME}welcome`]);
    expect(issuer.tokenRequest.get('code_verifier')).toMatch(/^[\w-]{43}$/);
    const client = app.client();
    client.refreshToken = browser.cookies.get('refresh_token') ?? '';
    const { body } = await client.refresh();
    const { sub, amr } = JSON.parse(Buffer.from(body.access.split('.')[1], 'base64url').toString());
    expect(amr).toEqual(['fed']);
    const { email } = issuer.claims;
    const NOW = new Date(app.clock.now()).toISOString();
    expect((await client.get('/auth/user')).body).toMatchObject({
      email,
      emailVerified: true,
      firstName: 'Ada',
      lastName: 'Lovelace',
    });
    expect((await client.get('/auth/social/accounts')).body).toEqual([
      {
        id: expect.any(String),
        provider: 'tiny',
        email,
        connectedAt: NOW,
        lastUsedAt: NOW,
      },
    ]);
    expect(await app.auth.social.tokensOf(sub, 'tiny')).toEqual({
      accessToken: 'provider-access',
      refreshToken: 'provider-refresh',
    });
    const [row] = await accounts();
    expect(row?.['tokens']).toMatch(/^[\da-f]{8}\.[\w-]+$/);
  });

  test('the second time signs the same user in, and moves lastUsedAt', async () => {
    await new Browser(app).signIn(issuer);
    const [first] = await accounts();
    app.clock.advance(3600);
    issuer.claims['email'] = 'elsewhere@example.com';
    const again = await new Browser(app).signIn(issuer);
    expect([again.status, again.location, again.cookies.has('refresh_token')]).toEqual([303, HOME, true]);
    const rows = await accounts();
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ id: first?.['id'], user_id: first?.['user_id'], email: 'elsewhere@example.com' });
    expect(Number(rows[0]?.['last_used_at'])).toBe(Number(first?.['last_used_at']) + 3_600_000);
  });

  test('gets an address from the UserInfo endpoint, if the ID token has none', async () => {
    const { sub } = issuer.claims;
    issuer.claims = { sub };
    issuer.userInfo = { sub, email: `info-${sub}@example.com`, email_verified: 'true', name: 'Grace Brewster Hopper' };
    expect((await new Browser(app).signIn(issuer)).location).toBe(HOME);
    const { rows } = await app.database.pool.query('select * from app_user where email = $1', [
      `info-${sub}@example.com`,
    ]);
    expect(rows).toMatchObject([{ first_name: 'Grace', last_name: 'Brewster Hopper' }]);
  });

  test('that returns in another browser, with a used or unknown state, or at another provider ends on an error page', async () => {
    const browser = new Browser(app);
    const start = await browser.open('/auth/social/tiny');
    const callback = issuer.authorize(start.location ?? '');
    const other = new Browser(app);
    await other.open('/auth/social/tiny');
    for (const [who, url] of [
      [other, callback],
      [new Browser(app), callback],
      [browser, callback.replace(/state=[^&]+/, `state=${'a'.repeat(43)}`)],
      [browser, callback.replace(/&state=[^&]+/, '')],
    ] as const) {
      const page = await who.open(url);
      expect([page.status, page.location, page.html.includes('This sign-in cannot be completed')]).toEqual([
        400,
        null,
        true,
      ]);
      expect(page.cookies.size).toBe(0);
    }
    expect((await browser.open(callback)).location).toBe(HOME);
    expect((await browser.open(callback)).status).toBe(400);
    const second = await browser.open('/auth/social/tiny');
    const mixedUp = issuer.authorize(second.location ?? '').replace('/tiny/', '/other/');
    expect((await browser.open(mixedUp)).status).toBe(400);
  });

  test('can be open in several tabs of one browser, each for ten minutes', async () => {
    const browser = new Browser(app);
    const [one, two, late] = [
      await browser.open('/auth/social/tiny?returnTo=/one'),
      await browser.open('/auth/social/tiny?returnTo=/two'),
      await browser.open('/auth/social/tiny'),
    ];
    expect((await browser.open(issuer.authorize(two.location ?? ''))).location).toBe(`${HOME}two`);
    expect((await browser.open(issuer.authorize(one.location ?? ''))).location).toBe(`${HOME}one`);
    app.clock.advance(601);
    expect((await browser.open(issuer.authorize(late.location ?? ''))).status).toBe(400);
  });

  test.each([
    ['a wrong nonce', (claims: object) => ({ ...claims, nonce: 'wrong' })],
    ['no nonce', (claims: object) => ({ ...claims, nonce: undefined })],
    ['a wrong issuer', (claims: object) => ({ ...claims, iss: 'http://127.0.0.1:1' })],
    ['a wrong audience', (claims: object) => ({ ...claims, aud: 'somebody' })],
    ['an expired token', (claims: object) => ({ ...claims, exp: 1 })],
    ['an empty sub', (claims: object) => ({ ...claims, sub: '' })],
    ['a sub with NUL', (claims: object) => ({ ...claims, sub: 'a\0' })],
  ])('is refused for %s', async (_what, tamper) => {
    issuer.tamper = tamper as TinyIssuer['tamper'];
    const back = await new Browser(app).signIn(issuer);
    expect([back.status, back.location, back.cookies.size]).toEqual([
      303,
      `${HOME}?error=provider_refused#status=401`,
      0,
    ]);
    expect(await accounts()).toEqual([]);
  });

  test('is refused for a wrong issuer in the answer, and for an error of the provider', async () => {
    const browser = new Browser(app);
    const start = await browser.open('/auth/social/tiny?returnTo=/a?b=c');
    const wrong = issuer.authorize(start.location ?? '').replace(/iss=[^&]+/, 'iss=http%3A%2F%2F127.0.0.1%3A1');
    expect((await browser.open(wrong)).location).toBe(`${HOME}a?b=c&error=provider_refused#status=401`);
    const again = await browser.open('/auth/social/tiny');
    const denied = issuer.authorize(again.location ?? '').replace(/code=[^&]+/, 'error=access_denied');
    expect((await browser.open(denied)).location).toBe(`${HOME}?error=provider_refused#status=401`);
    expect(app.log.at(-1)).toMatchObject({ provider: 'tiny', causes: expect.arrayContaining(['access_denied']) });
  });

  test('accepts a new key of the provider at once', async () => {
    await new Browser(app).signIn(issuer);
    await issuer.rotate();
    expect((await new Browser(app).signIn(issuer)).location).toBe(HOME);
  });

  test('answers provider_unavailable when the provider answers with an error, at any step', async () => {
    issuer.instead = (path) => (path === '/token' ? { status: 500 } : undefined);
    expect((await new Browser(app).signIn(issuer)).location).toBe(
      `${HOME}?error=provider_unavailable#status=503&retry_after=5`,
    );
  });
});

describe('GET /social/providers', () => {
  test('lists the providers', async () => {
    expect((await app.client().send('GET', '/auth/social/providers')).body).toEqual([
      { id: 'tiny', name: 'Tiny' },
      { id: 'other', name: 'Other' },
    ]);
  });

  test.each(['', '/callback'])('a request target with an impossible host does not cause a 500 (%s)', async (end) => {
    const { hostname, port } = new URL(app.url);
    const path = `http://a:99999/auth/social/tiny${end}?state=x`;
    const status = await new Promise((resolve) => {
      request({ hostname, port, path }, (answer) => resolve(answer.resume().statusCode)).end();
    });
    expect(status).toBe(end ? 400 : 303);
  });

  test('an unknown provider is 404, and a URL that is not allowed is 400', async () => {
    const codes = [];
    for (const path of [
      'nobody',
      'tiny?returnTo=https://evil.example/',
      'tiny?returnTo=/a&returnTo=/b',
      'tiny?transport=post',
    ])
      codes.push((await app.client().send('GET', `/auth/social/${path}`)).body.code);
    expect(codes).toEqual(['provider_not_found', 'return_url_not_allowed', 'return_url_not_allowed', 'bad_request']);
  });
});
