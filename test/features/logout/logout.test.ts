import { Authorized, CurrentUser, Get, JsonController } from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Principal } from '../../../src/index.js';
import { expectCookieCleared, expectProblem } from '../../support/expect-problem.js';
import { secrets } from '../../support/secrets.js';
import { createTestApp, type TestApp } from '../../support/test-app.js';
import type { Answer, TestClient } from '../../support/test-client.js';

@Service()
@JsonController('/stateless')
class StatelessController {
  @Authorized()
  @Get('/id')
  id(@CurrentUser() principal: Principal) {
    return { id: principal.id };
  }
}

function expectSignedOut(answer: Answer): void {
  expect(answer.status).toBe(204);
  expect(answer.body).toBe('');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expectCookieCleared(answer);
}

const sessionOf = (app: TestApp, { access }: TestClient) => app.auth.tokens.verifyAccess(access).session;
const enabledSessions = async (app: TestApp) =>
  (await app.sessions()).filter(({ enabled }) => enabled).map(({ id }) => id);

/** The token with another signature. */
function tampered(token: string): string {
  const [header, claims, signature = ''] = token.split('.');
  const forged = `${header}.${claims}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
  secrets.add(forged);
  return forged;
}

describe('logout', () => {
  let app: TestApp;
  let client: TestClient;
  beforeAll(async () => {
    app = await createTestApp({ controllers: [StatelessController] });
  });
  beforeEach(async () => {
    await app.database.pool.query('delete from app_user');
    client = await app.signedUp('ada@example.com');
  });
  afterAll(() => app.close());

  test('ends only that session, and clears the cookie', async () => {
    const other = app.client();
    await other.login('ada@example.com');
    const stranger = await app.signedUp('grace@example.com');
    expectSignedOut(await client.logout());
    expect((await enabledSessions(app)).sort()).toEqual([sessionOf(app, other), sessionOf(app, stranger)].sort());
    const refused = await client.refresh();
    expectProblem(refused, 401, 'token_not_valid');
    expect((await other.refresh()).status).toBe(200);
    expect((await stranger.refresh()).status).toBe(200);
    expect(await app.sessions()).toHaveLength(3);
  });

  test('needs no access token, and may be repeated', async () => {
    client.access = '';
    expectSignedOut(await client.logout());
    const rows = await app.sessions();
    const { length } = app.events;
    expectSignedOut(await client.logout());
    expectSignedOut(await client.logout());
    expect(await app.sessions()).toEqual(rows);
    expect(app.events).toHaveLength(length);
  });

  test('is refused without a cookie', async () => {
    expectProblem(await app.client().logout(), 400, 'refresh_token_missing');
    expectProblem(
      await app.client().send('POST', '/auth/logout', undefined, client.bearer),
      400,
      'refresh_token_missing',
    );
    expect(await app.liveSessions()).toBe(1);
  });

  test.each([1, 2, 3])('ends the session with a token that is %i generations old', async (generations) => {
    const older = client.copy();
    for (let index = 0; index < generations; index++) expect((await client.refresh()).status).toBe(200);
    const { length } = app.events;
    expectSignedOut(await older.logout());
    expect(app.events).toHaveLength(length);
    expect(await enabledSessions(app)).toEqual([]);
    expectProblem(await client.refresh(), 401, 'token_not_valid');
  });

  test('with a token of a deleted user is answered like one of an ended session', async () => {
    await app.database.pool.query('delete from app_user');
    expectSignedOut(await client.logout());
  });

  test('with an expired token ends nothing', async () => {
    const expired = client.copy();
    app.clock.advance(13 * 86_400);
    expect((await client.refresh()).status).toBe(200);
    app.clock.advance(86_400);
    const answer = await expired.logout();
    expectProblem(answer, 401, 'token_not_valid');
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expectCookieCleared(answer);
    expect(await app.liveSessions()).toBe(1);
    expect((await client.refresh()).status).toBe(200);
  });

  test.each([
    ['a forged signature', ({ refreshToken }: TestClient) => tampered(refreshToken)],
    ['no signature', ({ refreshToken }: TestClient) => refreshToken.replace(/[^.]+$/, '')],
    ['an access token', ({ access }: TestClient) => access],
    ['no token at all', () => 'not.a.token'],
  ])('with %s ends nothing', async (_what, forge) => {
    const forger = client.copy();
    forger.refreshToken = forge(client);
    const rows = await app.sessions();
    const answer = await forger.logout();
    expectProblem(answer, 401, 'token_not_valid');
    expectCookieCleared(answer);
    expect(await app.sessions()).toEqual(rows);
    expect((await client.refresh()).status).toBe(200);
  });

  test('everywhere ends every session of the user, and none of other users', async () => {
    const others = [app.client(), app.client()];
    for (const other of others) await other.login('ada@example.com');
    const stranger = await app.signedUp('grace@example.com');
    expectSignedOut(await client.logoutAll());
    expect(await enabledSessions(app)).toEqual([sessionOf(app, stranger)]);
    for (const ended of [client, ...others]) expectProblem(await ended.refresh(), 401, 'token_not_valid');
    expect((await stranger.refresh()).status).toBe(200);
    const again = app.client();
    expect((await again.login('ada@example.com')).status).toBe(200);
    expect((await again.refresh()).status).toBe(200);
  });

  test('everywhere requires a valid access token', async () => {
    const anonymous = await app.client().logoutAll();
    expectProblem(anonymous, 401, 'not_authenticated');
    expect(anonymous.headers.get('www-authenticate')).toBe('Bearer');
    const cookieOnly = await client.send('POST', '/auth/logout-all', undefined, client.cookieHeader);
    expectProblem(cookieOnly, 401, 'not_authenticated');
    for (const token of [tampered(client.access), client.refreshToken]) {
      const answer = await app
        .client()
        .send('POST', '/auth/logout-all', undefined, { authorization: `Bearer ${token}` });
      expectProblem(answer, 401, 'token_not_valid');
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer error="invalid_token"/);
    }
    expect(await app.liveSessions()).toBe(1);
  });

  test.each(['logout', 'logoutAll'] as const)(
    'an access token still opens stateless routes after %s, until it expires',
    async (way) => {
      expectSignedOut(await client[way]());
      const id = app.auth.tokens.verifyAccess(client.access).sub;
      app.clock.advance(30 * 60 - 1);
      expect(await client.get('/stateless/id')).toMatchObject({ status: 200, body: { id } });
      app.clock.advance(1);
      expect(await client.get('/stateless/id')).toMatchObject({ status: 401, body: { code: 'token_not_valid' } });
    },
  );

  test.each(['logout', 'logoutAll'] as const)('no refresh in parallel with %s survives it', async (way) => {
    const tabs = Array.from({ length: 8 }, () => client.copy());
    const [signedOut] = await Promise.all([client[way](), ...tabs.map((tab) => tab.refresh())]);
    expectSignedOut(signedOut);
    expect(await app.liveSessions()).toBe(0);
    for (const tab of tabs) expect((await tab.refresh()).status).toBe(401);
  });
});

describe('logout with tokens in bodies', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ settings: { refreshTokenAsCookie: false } });
  });
  afterAll(() => app.close());

  test('takes the token from the body and does not change the cookie', async () => {
    const client = await app.signedUp();
    for (let times = 0; times < 2; times++) {
      const answer = await client.logout();
      expect(answer.status).toBe(204);
      expect(answer.headers.getSetCookie()).toEqual([]);
      expect(await app.liveSessions()).toBe(0);
    }
    expectProblem(await client.refresh(), 401, 'token_not_valid');
  });

  test('everywhere does not change the cookie either', async () => {
    const client = await app.signedUp();
    const answer = await client.logoutAll();
    expect(answer.status).toBe(204);
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(await app.liveSessions()).toBe(0);
  });

  test.each([
    ['no body', undefined, 400, 'refresh_token_missing'],
    ['an empty object', {}, 400, 'refresh_token_missing'],
    ['an empty token', { refresh: '' }, 400, 'refresh_token_missing'],
    ['null', { refresh: null }, 400, 'validation_failed'],
    ['a number', { refresh: 1 }, 400, 'validation_failed'],
    ['an array', [], 400, 'validation_failed'],
    ['an unknown field', { token: 'x' }, 400, 'validation_failed'],
    ['no token', { refresh: 'x' }, 401, 'token_not_valid'],
  ])('is refused with %s, even if there is a cookie', async (_what, body, status, code) => {
    const client = await app.signedUp();
    const live = await app.liveSessions();
    const cookie = { cookie: `refresh_token=${client.refreshToken}` };
    const answer = await client.send('POST', '/auth/logout', body, cookie);
    expectProblem(answer, status, code);
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(await app.liveSessions()).toBe(live);
  });
});
