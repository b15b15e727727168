import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SettingsInput } from '../../src/index.js';
import { fingerprint } from '../support/database-fingerprint.js';
import { expectProblemDetails } from '../support/problem-details.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { type Answer, PASSWORD, type TestClient } from '../support/test-client.js';

const NEW_PASSWORD = 'another sentence, as long';
const FORTNIGHT = 14 * 86_400;

/** The refresh cookie as it was set: its header without the token and without `Expires`, which repeats Max-Age. */
function cookieOf({ headers }: Answer, others: readonly string[] = []): { token: string; header: string } {
  const cookies = headers.getSetCookie();
  const expired = cookies.slice(0, -1).map((cookie) => cookie.replace(/; Expires=[^;]+/, ''));
  expect(expired).toEqual(others);
  const [, name = '', token = '', attributes = ''] = /^([^=]+)=([^;]*)(.*)$/.exec(cookies.at(-1) ?? '') ?? [];
  expect(attributes).toContain('; Expires=');
  return { token, header: `${name}=${attributes.replace(/; Expires=[^;]+/, '')}` };
}

interface Variant {
  readonly title: string;
  readonly settings: SettingsInput;
  readonly express?: 5;
  readonly name: string;
  /** The attributes after the name and the value, with MAX for the seconds. */
  readonly attributes: string;
  readonly maxAge?: number;
  /** Expired copies of the cookie that are sent before it. */
  readonly others?: readonly string[];
}

const production = { development: false };

/** Every app of this file signs its users up here. */
let base: TestApp;
beforeAll(async () => {
  base = await createTestApp();
});
afterAll(() => base.close());

describe.each<Variant>([
  { title: 'in development', settings: {}, name: 'refresh_token', attributes: 'Path=/; HttpOnly; SameSite=Lax' },
  {
    title: 'in production',
    settings: production,
    name: '__Host-refresh_token',
    attributes: 'Path=/; HttpOnly; Secure; SameSite=Lax',
  },
  {
    title: 'in development with SECURE',
    settings: { refreshTokenCookieSecure: true },
    name: '__Host-refresh_token',
    attributes: 'Path=/; HttpOnly; Secure; SameSite=Lax',
  },
  {
    title: 'with a DOMAIN',
    settings: { ...production, refreshTokenCookieDomain: 'example.com' },
    name: 'refresh_token',
    attributes: 'Domain=example.com; Path=/; HttpOnly; Secure; SameSite=Lax',
    others: ['__Host-refresh_token=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax'],
  },
  {
    title: 'with a PATH',
    settings: { ...production, refreshTokenCookiePath: '/auth' },
    name: 'refresh_token',
    attributes: 'Path=/auth; HttpOnly; Secure; SameSite=Lax',
  },
  {
    title: 'with a NAME',
    settings: { ...production, refreshTokenCookieName: '__Secure-session' },
    name: '__Secure-session',
    attributes: 'Path=/; HttpOnly; Secure; SameSite=Lax',
  },
  {
    title: 'with SAME_SITE strict',
    settings: { ...production, refreshTokenCookieSameSite: 'strict' },
    name: '__Host-refresh_token',
    attributes: 'Path=/; HttpOnly; Secure; SameSite=Strict',
  },
  {
    title: 'with SAME_SITE none, as an operator writes it',
    settings: { ...production, refreshTokenCookieSameSite: 'none' },
    name: '__Host-refresh_token',
    attributes: 'Path=/; HttpOnly; Secure; SameSite=None',
    others: ['__Host-refresh_token=; Max-Age=0; Path=/; HttpOnly; Secure; Partitioned; SameSite=None'],
  },
  {
    title: 'with PARTITIONED',
    settings: { ...production, refreshTokenCookieSameSite: 'none', refreshTokenCookiePartitioned: true },
    name: '__Host-refresh_token',
    attributes: 'Path=/; HttpOnly; Secure; Partitioned; SameSite=None',
    others: ['__Host-refresh_token=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=None'],
  },
  {
    title: 'with PARTITIONED on Express 5',
    express: 5,
    settings: { ...production, refreshTokenCookieSameSite: 'none', refreshTokenCookiePartitioned: true },
    name: '__Host-refresh_token',
    attributes: 'Path=/; HttpOnly; Secure; Partitioned; SameSite=None',
    others: ['__Host-refresh_token=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=None'],
  },
  {
    title: 'with older domains and paths, one of which is still in use',
    settings: {
      refreshTokenCookieDomain: 'example.com',
      olderCookieDomains: ['.Example.com', 'a.test'],
      olderCookiePaths: '/,/auth',
    },
    name: 'refresh_token',
    attributes: 'Domain=example.com; Path=/; HttpOnly; SameSite=Lax',
    others: [
      'refresh_token=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax',
      'refresh_token=; Max-Age=0; Path=/auth; HttpOnly; SameSite=Lax',
      'refresh_token=; Max-Age=0; Domain=.Example.com; Path=/auth; HttpOnly; SameSite=Lax',
      'refresh_token=; Max-Age=0; Domain=a.test; Path=/; HttpOnly; SameSite=Lax',
      'refresh_token=; Max-Age=0; Domain=a.test; Path=/auth; HttpOnly; SameSite=Lax',
    ],
  },
  {
    title: 'without HTTP_ONLY in development',
    settings: { refreshTokenCookieHttpOnly: false },
    name: 'refresh_token',
    attributes: 'Path=/; SameSite=Lax',
  },
  {
    title: 'with a MAX_AGE below the lifetime of the token',
    settings: { refreshTokenCookieMaxAge: '1h' },
    name: 'refresh_token',
    attributes: 'Path=/; HttpOnly; SameSite=Lax',
    maxAge: 3600,
  },
  {
    title: 'with a MAX_AGE above the lifetime of the token',
    settings: { refreshTokenCookieMaxAge: '30d' },
    name: 'refresh_token',
    attributes: 'Path=/; HttpOnly; SameSite=Lax',
  },
])('the refresh cookie $title', ({ title, settings, express, name, attributes, maxAge = FORTNIGHT, others }) => {
  /** Express always writes `Domain` after Max-Age. */
  const header = (seconds: number) => `${name}=; Max-Age=${seconds}; ${attributes}`;
  let app: TestApp;
  let client: TestClient;
  let token: string;
  beforeAll(async () => {
    app = await createTestApp({ settings, express, database: base.database });
    client = app.client();
  });
  afterAll(() => app.close());

  test('has the same name and attributes wherever it is set, and is cleared with them', async () => {
    const send = (path: string, body?: object, headers = {}) =>
      client.send('POST', path, body, { cookie: `${name}=${token}`, ...headers });
    const email = `${title.replace(/\W+/g, '-')}@example.com`;
    const set: Answer[] = [await client.register(email)];
    token = cookieOf(set[0] as Answer, others).token;
    const refreshed = await send('/auth/refresh');
    token = cookieOf(refreshed, others).token;
    client.access = refreshed.body.access;
    const changed = await send(
      '/auth/password/change',
      { oldPassword: PASSWORD, newPassword: NEW_PASSWORD },
      client.bearer,
    );
    token = cookieOf(changed, others).token;
    client.access = changed.body.access;
    const cleared = [await send('/auth/logout-all', undefined, client.bearer), await send('/auth/logout')];
    set.push(refreshed, changed, await client.login(email, NEW_PASSWORD));

    expect(set.map(({ status }) => status)).toEqual([201, 200, 200, 200]);
    for (const answer of set) {
      expect(cookieOf(answer, others).header).toBe(header(maxAge));
      expect(cookieOf(answer, others).token.split('.')).toHaveLength(3);
      expect(Object.keys(answer.body)).toEqual(['access']);
    }
    expect(new Set(set.map((answer) => cookieOf(answer, others).token)).size).toBe(4);
    expect(cleared.map(({ status }) => status)).toEqual([204, 204]);
    for (const answer of cleared) expect(cookieOf(answer, others)).toEqual({ token: '', header: header(0) });
  });
});

describe('the Max-Age of the refresh cookie', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({
      settings: { refreshTokenLifetime: '1h', sessionLifetime: '90m' },
      database: base.database,
    });
  });
  afterAll(() => app.close());

  const maxAgeOf = (answer: Answer) => Number(/Max-Age=(\d+)/.exec(cookieOf(answer).header)?.[1]);

  test('is the remaining lifetime of the token, and never exceeds the deadline of the session', async () => {
    const client = app.client();
    expect(maxAgeOf(await client.register('left@example.com'))).toBe(3600);
    app.clock.advance(20 * 60);
    expect(maxAgeOf(await client.refresh())).toBe(3600);
    app.clock.advance(40 * 60);
    expect(maxAgeOf(await client.refresh())).toBe(30 * 60);
  });

  test('is shorter for a successor that is sent again', async () => {
    const client = await app.signedUp();
    const retry = client.copy();
    const first = await client.refresh();
    app.clock.advance(7);
    const again = await retry.refresh();
    expect(maxAgeOf(first)).toBe(3600);
    expect(maxAgeOf(again)).toBe(3600 - 7);
    expect(cookieOf(again).token).toBe(cookieOf(first).token);
  });
});

describe('errors and the refresh cookie', () => {
  const post = (path: string, token: string) =>
    base.client().send('POST', path, undefined, { cookie: `refresh_token=${token}` });

  test('a logout clears a cookie with an invalid token', async () => {
    const { refreshToken } = await base.signedUp();
    const before = await fingerprint(base.database);
    const answer = await post('/auth/logout', `${refreshToken.slice(0, -4)}AAAA`);
    expectProblemDetails(answer, 401, 'token_not_valid');
    expect(cookieOf(answer)).toEqual({
      token: '',
      header: 'refresh_token=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax',
    });
    expect(await fingerprint(base.database)).toBe(before);
  });

  test.each([
    ['forged', 'token_not_valid'],
    ['replayed', 'refresh_token_reused'],
    ['revoked', 'token_not_valid'],
  ])('a refresh does not clear a cookie with a %s token', async (kind, code) => {
    const client = await base.signedUp();
    const thief = client.copy();
    if (kind === 'forged') client.refreshToken = `${client.refreshToken.slice(0, -4)}AAAA`;
    if (kind === 'replayed') await thief.refresh();
    if (kind === 'replayed') base.clock.advance(11);
    if (kind === 'revoked') await thief.logout();
    const answer = await client.refresh();
    expectProblemDetails(answer, 401, code);
    expect(answer.headers.getSetCookie()).toEqual([]);
  });

  test('a request without a token gets refresh_token_missing, and nothing is set or cleared', async () => {
    for (const path of ['/auth/refresh', '/auth/logout']) {
      for (const cookie of ['', 'refresh_token=', 'other=1; xrefresh_token=a; refresh_token2=b']) {
        const answer = await base.client().send('POST', path, undefined, cookie ? { cookie } : {});
        expectProblemDetails(answer, 400, 'refresh_token_missing');
        expect(answer.headers.getSetCookie()).toEqual([]);
      }
    }
  });

  test('no other error sets or clears it', async () => {
    const client = await base.signedUp('taken@example.com');
    const answers = [
      await client.register('taken@example.com'),
      await client.register('not an address'),
      await client.login('taken@example.com', 'not the right password'),
      await client.changePassword('not the right password', NEW_PASSWORD),
      await client.send('POST', '/auth/logout-all'),
      await client.send('POST', '/auth/logout', 'text', { 'content-type': 'text/plain', ...client.cookieHeader }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([409, 400, 401, 401, 401, 415]);
    for (const answer of answers) expect(answer.headers.getSetCookie()).toEqual([]);
    expect((await client.refresh()).status).toBe(200);
  });
});
