import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RefreshToken } from '../../src/index.js';
import { openToken } from '../support/forge.js';
import { expectTokenNotValid, INVALID_TOKEN } from '../support/refusal.js';
import { createTestApp, SECRET, type TestApp } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';
import { AppRefreshToken, type AppUser } from '../support/users.js';

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const SESSION_CLAIMS = ['session', 'session_iat', 'amr', 'auth_time'];
const CLAIMS = ['sub', 'jti', 'iat', 'exp', 'token_type', ...SESSION_CLAIMS, 'role', 'email_verified'];

const open = (client: TestClient) => ({ access: openToken(client.access), refresh: openToken(client.refreshToken) });
const rowOf = async (app: TestApp, client: TestClient) => {
  const { session } = openToken(client.refreshToken).claims;
  const { rows } = await app.database.pool.query('select * from auth_session where id = $1', [session]);
  return rows[0];
};

describe('tokens', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ settings: { refreshToken: undefined } });
  });
  afterAll(() => app.close());

  test('have exactly the documented header and claims, and the same data of the session', async () => {
    const client = await app.signedUp();
    const now = app.clock.now() / 1000;
    const { access, refresh } = open(client);
    const kid = expect.stringMatching(/^[\w-]{16}$/);
    expect(access.header).toStrictEqual({ typ: 'at+jwt', alg: 'HS256', kid });
    expect(refresh.header).toStrictEqual({ typ: 'rt+jwt', alg: 'HS256', kid: access.header.kid });
    expect(access.claims).toStrictEqual({
      sub: expect.stringMatching(UUID),
      jti: expect.stringMatching(UUID),
      iat: now,
      exp: now + 30 * MINUTE,
      token_type: 'access',
      session: expect.stringMatching(UUID),
      session_iat: now,
      role: 0,
      email_verified: true,
      amr: ['pwd'],
      auth_time: now,
    });
    expect(refresh.claims).toStrictEqual({
      ...access.claims,
      jti: expect.stringMatching(UUID),
      exp: now + 14 * DAY,
      token_type: 'refresh',
    });
    expect(new Set([access.claims.jti, refresh.claims.jti, access.claims.session, access.claims.sub]).size).toBe(4);
    expect(await rowOf(app, client)).toMatchObject({
      id: refresh.claims.session,
      user_id: refresh.claims.sub,
      jti: refresh.claims.jti,
      previous_jti: null,
      enabled: true,
      created_at: new Date(now * 1000),
      rotated_at: new Date(now * 1000),
      expires_at: new Date(refresh.claims.exp * 1000),
    });
    expect(JSON.stringify([access, refresh])).not.toContain('@example.com');
  });

  test('of a rotation keep the session and its opening, and have new ids and times', async () => {
    const client = await app.signedUp();
    const before = open(client);
    app.clock.advance(5 * MINUTE);
    await client.refresh();
    const { access, refresh } = open(client);
    const now = app.clock.now() / 1000;
    const kept = {
      sub: before.refresh.claims.sub,
      session: before.refresh.claims.session,
      session_iat: now - 5 * MINUTE,
    };
    expect(access.claims).toMatchObject({ ...kept, iat: now, exp: now + 30 * MINUTE });
    expect(refresh.claims).toMatchObject({ ...kept, iat: now, exp: now + 14 * DAY });
    const ids = [before.access, before.refresh, access, refresh].map(({ claims }) => claims.jti);
    expect(new Set(ids).size).toBe(4);
  });

  test('an access token is accepted until the second in which it expires', async () => {
    const client = await app.signedUp();
    app.clock.advance(30 * MINUTE - 1);
    expect((await client.get('/auth/user')).status).toBe(200);
    app.clock.advance(1);
    expectTokenNotValid(await client.get('/auth/user'), INVALID_TOKEN);
    expect((await client.refresh()).status).toBe(200);
    expect((await client.get('/auth/user')).status).toBe(200);
  });
});

test.each(['2fa', '$plan', 'état', ' ', ''])('an app can name its first claim %j', async (name) => {
  class NamedClaim extends RefreshToken {
    static override async forUser(user: AppUser) {
      const token: RefreshToken = await super.forUser(user);
      token.payload[name] = true;
      return token;
    }
  }
  const app = await createTestApp({ settings: { refreshToken: NamedClaim } });
  const client = await app.signedUp();
  expect(openToken(client.access).claims[name]).toBe(true);
  expect((await client.get('/auth/user')).status).toBe(200);
  expect((await client.refresh()).status).toBe(200);
  expect((await client.get('/auth/user')).status).toBe(200);
  await app.close();
});

test.each([
  ['HS384', 64],
  ['HS512', 86],
] as const)(
  '%s signs both tokens, and a token of another algorithm with the same secret is refused',
  async (alg, length) => {
    const settings = {
      algorithm: alg,
      issuer: 'https://id.example.com',
      audience: 'shop',
      refreshToken: AppRefreshToken,
    };
    const app = await createTestApp({ settings });
    const other = await createTestApp({
      settings: { ...settings, algorithm: 'HS256' },
      database: app.database,
      orm: {},
    });
    const client = await app.signedUp();
    for (const { header, claims, signature } of Object.values(open(client))) {
      expect(header.alg).toBe(alg);
      expect(signature).toHaveLength(length);
      expect(Object.keys(claims).sort()).toEqual([...CLAIMS, 'iss', 'aud', 'permissions'].sort());
      expect(claims).toMatchObject({ iss: 'https://id.example.com', aud: 'shop' });
    }
    expect((await client.refresh()).status).toBe(200);
    const elsewhere = other.client();
    Object.assign(elsewhere, { access: client.access, refreshToken: client.refreshToken });
    expectTokenNotValid(await elsewhere.get('/auth/user'), INVALID_TOKEN);
    expectTokenNotValid(await elsewhere.refresh(), 'Bearer');
    expect(await app.liveSessions()).toBe(1);
    expect((await client.refresh()).status).toBe(200);
    expect(SECRET.length).toBeGreaterThanOrEqual(64);
    await other.close();
    await app.close();
  },
);

describe('with a refresh token lifetime of an hour', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ settings: { refreshTokenLifetime: '1h', accessTokenLifetime: '2h' } });
  });
  afterAll(() => app.close());

  test('a session in use stays alive: every rotation extends it', async () => {
    const client = await app.signedUp();
    for (let use = 0; use < 5; use++) {
      app.clock.advance(HOUR - 1);
      const answer = await client.refresh();
      expect(answer.status).toBe(200);
      const exp = app.clock.now() / 1000 + HOUR;
      expect(openToken(client.refreshToken).claims.exp).toBe(exp);
      expect((await rowOf(app, client)).expires_at).toEqual(new Date(exp * 1000));
      expect(answer.cookie?.attributes).toContain('Max-Age=3600');
    }
  });

  test('a session that was unused for that time is over: token_not_valid, and nothing is ended or reported', async () => {
    const client = await app.signedUp();
    const row = await rowOf(app, client);
    app.clock.advance(HOUR);
    expectTokenNotValid(await client.refresh(), 'Bearer');
    expectTokenNotValid(await client.refresh(), 'Bearer');
    expect(await rowOf(app, client)).toEqual(row);
    expect(await app.liveSessions()).toBe(0);
    expect(app.events).toEqual([]);
  });
});

describe('with a session lifetime of an hour', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ settings: { sessionLifetime: '1h' } });
  });
  afterAll(() => app.close());

  test('no token outlives the session, however often it is rotated', async () => {
    const client = await app.signedUp();
    const deadline = app.clock.now() / 1000 + HOUR;
    for (const minutes of [0, 29, 2, 28]) {
      app.clock.advance(minutes * MINUTE);
      const answer = await client.refresh();
      expect(answer.status).toBe(200);
      const now = app.clock.now() / 1000;
      const { access, refresh } = open(client);
      expect(refresh.claims.exp).toBe(deadline);
      expect(access.claims.exp).toBe(Math.min(now + 30 * MINUTE, deadline));
      expect((await rowOf(app, client)).expires_at).toEqual(new Date(deadline * 1000));
      expect(answer.cookie?.attributes).toContain(`Max-Age=${deadline - now}`);
    }
    expect((await client.get('/auth/user')).status).toBe(200);
  });

  test('at the deadline the answer is session_expired, each time, and the session is gone', async () => {
    const client = await app.signedUp();
    const other = app.client();
    const { session } = openToken(client.refreshToken).claims;
    app.clock.advance(HOUR - 1);
    expect((await client.refresh()).status).toBe(200);
    expect((await other.register('late@example.com')).status).toBe(201);
    app.clock.advance(1);
    for (let attempt = 0; attempt < 2; attempt++) {
      const answer = await client.refresh();
      expect([answer.status, answer.body.code]).toEqual([401, 'session_expired']);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
      expect(answer.headers.get('cache-control')).toBe('no-store');
    }
    expectTokenNotValid(await client.get('/auth/user'), INVALID_TOKEN);
    const live = (await app.sessions()).filter(({ id, enabled }) => id === session && enabled);
    expect(live).toEqual([]);
    expect((await other.refresh()).status).toBe(200);
    expect(app.events).toEqual([]);
  });
});
