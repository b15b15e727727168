import { randomUUID } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fingerprint } from '../support/database-fingerprint.js';
import { expectProblemDetails, fieldsOf } from '../support/problem-details.js';
import { secrets } from '../support/secrets.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { type Answer, PASSWORD, type TestClient } from '../support/test-client.js';

const NEW_PASSWORD = 'another sentence, as long';

describe('several refresh cookies in one request', () => {
  let app: TestApp;
  let other: TestApp;
  let client: TestClient;
  beforeAll(async () => {
    app = await createTestApp();
    other = await createTestApp({ settings: { secretKey: 'the secret of another app on the same domain' } });
  });
  afterAll(async () => {
    await app.close();
    await other.close();
  });

  const expired = async () => {
    const { refreshToken } = await app.signedUp();
    app.clock.advance(15 * 86_400);
    return refreshToken;
  };
  const bad: Record<string, () => Promise<string>> = {
    garbage: async () => 'garbage',
    'an expired token': expired,
    'a token of another app': async () => (await other.signedUp()).refreshToken,
    'an access token': async () => (await app.signedUp()).access,
    'an empty value': async () => '',
    'a token with another payload': async () => {
      const [header, , signature] = (await app.signedUp()).refreshToken.split('.');
      return `${header}.${Buffer.from('{"sub":"1"}').toString('base64url')}.${signature}`;
    },
  };
  const send = (path: string, ...tokens: string[]) => {
    secrets.add(...tokens);
    return app.client().send('POST', path, undefined, {
      cookie: ['theme=dark', ...tokens.map((token) => `refresh_token=${token}`), 'lang=en'].join('; '),
    });
  };

  test.each(Object.keys(bad))('%s does not hide the token that verifies', async (name) => {
    const first = (await bad[name]?.()) ?? '';
    client = await app.signedUp();
    const before = await app.sessions();
    const refreshed = await send('/auth/refresh', first, client.refreshToken);
    expect(refreshed.status).toBe(200);
    expect(refreshed.cookie?.value).not.toBe(client.refreshToken);
    const after = await app.sessions();
    expect(after.filter(({ jti }) => !before.some((row) => row.jti === jti))).toHaveLength(1);
    const signedOut = await send('/auth/logout', first, refreshed.cookie?.value ?? '');
    expect(signedOut.status).toBe(204);
    expect((await app.sessions()).filter(({ enabled }) => !enabled)).toHaveLength(
      before.filter(({ enabled }) => !enabled).length + 1,
    );
  });

  test('of two that verify the first decides, in either order', async () => {
    const [one, two] = [await app.signedUp(), await app.signedUp()];
    const sub = (token: string) => jwt.decode(token)?.sub;
    const first = await send('/auth/refresh', one.refreshToken, two.refreshToken);
    const second = await send('/auth/refresh', two.refreshToken, first.cookie?.value ?? '');
    expect([sub(first.body.access), sub(second.body.access)]).toEqual([sub(one.access), sub(two.access)]);
  });

  test('none that verifies is 401, and nothing happens', async () => {
    const tokens = [await bad['a token of another app']?.(), 'garbage', await bad['an access token']?.()] as string[];
    const before = await fingerprint(app.database);
    expectProblemDetails(await send('/auth/refresh', ...tokens), 401, 'token_not_valid', tokens);
    expectProblemDetails(await send('/auth/logout', ...tokens), 401, 'token_not_valid', tokens);
    expect(await fingerprint(app.database)).toBe(before);
  });

  test('hundreds of them get one 401, and cause no query each and no error', async () => {
    const tokens = Array.from({ length: 300 }, () => randomUUID());
    expectProblemDetails(await send('/auth/refresh', ...tokens), 401, 'token_not_valid', tokens);
    expect(app.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('the transport of a refresh token', () => {
  let cookieApp: TestApp;
  let bodyApp: TestApp;
  beforeAll(async () => {
    cookieApp = await createTestApp();
    bodyApp = await createTestApp({ settings: { refreshTokenAsCookie: false } });
  });
  afterAll(async () => {
    await cookieApp.close();
    await bodyApp.close();
  });

  test('in cookie mode a refresh token in a body is neither read nor sent', async () => {
    const client = await cookieApp.signedUp();
    for (const path of ['/auth/refresh', '/auth/logout']) {
      const answer = await client.send('POST', path, { refresh: client.refreshToken });
      expectProblemDetails(answer, 400, 'refresh_token_missing', [client.refreshToken]);
    }
    const answer = await client.send('POST', '/auth/refresh', { refresh: 'ignored', more: [1] }, client.cookieHeader);
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.body)).toEqual(['access']);
    expect(await cookieApp.liveSessions()).toBe(1);
  });

  test('in body mode a cookie is neither read nor set nor cleared', async () => {
    const client = bodyApp.client();
    const answers: Answer[] = [await client.register('body@example.com'), await client.login('body@example.com')];
    const cookie = { cookie: `refresh_token=${client.refreshToken}; __Host-refresh_token=${client.refreshToken}` };
    const missing = await client.send('POST', '/auth/refresh', undefined, cookie);
    answers.push(await client.refresh(), await client.changePassword(PASSWORD, NEW_PASSWORD));
    for (const { status, body } of answers) {
      expect([200, 201]).toContain(status);
      expect(Object.keys(body)).toEqual(['access', 'refresh']);
    }
    answers.push(missing, await client.send('POST', '/auth/logout', { refresh: 'garbage' }));
    expectProblemDetails(missing, 400, 'refresh_token_missing');
    answers.push(await client.logoutAll(), await client.logout());
    expect(answers.map(({ status }) => status)).toEqual([201, 200, 200, 200, 400, 401, 204, 204]);
    for (const { headers } of answers) expect(headers.getSetCookie()).toEqual([]);
    expect(await bodyApp.liveSessions()).toBe(0);
  });

  test('in body mode no body, {} and an empty string are a missing token', async () => {
    for (const path of ['/auth/refresh', '/auth/logout']) {
      for (const body of [undefined, {}, { refresh: '' }]) {
        expectProblemDetails(await bodyApp.client().send('POST', path, body), 400, 'refresh_token_missing');
      }
    }
  });

  test.each([
    ['a number', { refresh: 12_345_678 }, ['refresh']],
    ['null', { refresh: null }, ['refresh']],
    ['a boolean', { refresh: true }, ['refresh']],
    ['an array', { refresh: ['a.b.c'] }, ['refresh']],
    ['an object', { refresh: { $ne: '' } }, ['refresh']],
    ['another field', { token: 'a.b.c' }, ['token']],
    ['a list of bodies', [{ refresh: 'a.b.c' }], ['']],
  ])('in body mode %s instead of the token is 400 validation_failed', async (_, body, fields) => {
    for (const path of ['/auth/refresh', '/auth/logout']) {
      const answer = await bodyApp.client().send('POST', path, body);
      expectProblemDetails(answer, 400, 'validation_failed', ['12345678', 'a.b.c', '$ne']);
      expect(fieldsOf(answer)).toEqual(fields);
    }
  });

  test('a token in the URL is not accepted, and no answer puts one there', async () => {
    for (const app of [cookieApp, bodyApp]) {
      const client = await app.signedUp();
      const query = `?refresh=${client.refreshToken}&refresh_token=${client.refreshToken}&access_token=${client.access}`;
      expectProblemDetails(await client.send('POST', `/auth/refresh${query}`), 400, 'refresh_token_missing');
      expectProblemDetails(await client.send('POST', `/auth/logout${query}`), 400, 'refresh_token_missing');
      expectProblemDetails(await client.send('GET', `/auth/user${query}`), 401, 'not_authenticated');
      expect((await client.refresh()).headers.has('location')).toBe(false);
      expect(await client.get('/auth/user')).toMatchObject({ status: 200 });
    }
  });
});

describe('no cache stores an answer of an auth route', () => {
  let app: TestApp;
  let client: TestClient;
  beforeAll(async () => {
    app = await createTestApp();
    client = await app.signedUp('user@example.com');
  });
  afterAll(() => app.close());

  const forged = { cookie: 'refresh_token=garbage' };
  const bad = { authorization: 'Bearer garbage' };
  const big = { email: 'x'.repeat(110_000) };
  test.each<[status: number, request: string, body?: unknown, headers?: 'bearer' | 'cookie' | Record<string, string>]>([
    [201, 'POST /auth/registration', { email: 'new@example.com', password: PASSWORD }],
    [400, 'POST /auth/registration', {}],
    [409, 'POST /auth/registration', { email: 'user@example.com', password: PASSWORD }],
    [413, 'POST /auth/registration', big],
    [200, 'POST /auth/login', { email: 'user@example.com', password: PASSWORD }],
    [401, 'POST /auth/login', { email: 'user@example.com', password: 'not the right one' }],
    [400, 'POST /auth/login', '{'],
    [403, 'POST /auth/login', {}, { origin: 'https://evil.example' }],
    [415, 'POST /auth/login', 'text', { 'content-type': 'text/plain' }],
    [200, 'POST /auth/refresh', undefined, 'cookie'],
    [400, 'POST /auth/refresh'],
    [401, 'POST /auth/refresh', undefined, forged],
    [400, 'POST /auth/logout'],
    [401, 'POST /auth/logout', undefined, forged],
    [200, 'GET /auth/user', undefined, 'bearer'],
    [401, 'GET /auth/user'],
    [401, 'GET /auth/user', undefined, bad],
    [200, 'PATCH /auth/user', { firstName: 'Ada' }, 'bearer'],
    [400, 'PATCH /auth/user', { role: 1000 }, 'bearer'],
    [401, 'PATCH /auth/user', {}, bad],
    [200, 'POST /auth/password/change', { oldPassword: PASSWORD, newPassword: PASSWORD }, 'bearer'],
    [401, 'POST /auth/password/change', { oldPassword: 'wrong', newPassword: PASSWORD }, 'bearer'],
    [401, 'POST /auth/password/change', {}],
    [401, 'POST /auth/logout-all'],
    [401, 'POST /auth/logout-all', undefined, bad],
  ])('%i %s', async (status, request, body, headers = {}) => {
    const [method = '', path = ''] = request.split(' ');
    const user = app.client();
    if (typeof headers === 'string') await user.login('user@example.com');
    const sent = headers === 'bearer' ? user.bearer : headers === 'cookie' ? user.cookieHeader : headers;
    const answer = await client.send(method, path, body, sent);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  test('204 of a logout and of a logout everywhere', async () => {
    const user = app.client();
    await user.login('user@example.com');
    for (const answer of [await user.logoutAll(), await user.logout()]) {
      expect(answer.status).toBe(204);
      expect(answer.headers.get('cache-control')).toBe('no-store');
    }
  });
});
