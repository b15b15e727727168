import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { Authorized, CurrentUser, Get, JsonController, useExpressServer } from 'routing-controllers';
import { Container, Service } from 'typedi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createJwtAllauth, LoadUser } from '../../src/index.js';
import { ownContainer } from '../support/containers.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { expectProblemDetails } from '../support/problem-details.js';
import { secrets } from '../support/secrets.js';
import { createTestApp, SECRET, type TestApp } from '../support/test-app.js';
import { PASSWORD, TestClient } from '../support/test-client.js';
import { AppRefreshToken, AppUser, IntegerUser } from '../support/users.js';

const CREDENTIALS = { email: 'user@example.com', password: PASSWORD };

@Service()
@JsonController('/me')
class MeController {
  @Authorized()
  @LoadUser()
  @Get('/user')
  user(@CurrentUser() user: AppUser) {
    return { email: user.email, kind: user.constructor.name };
  }
}

describe.each([
  { title: 'another prefix', prefix: '/api/v1/accounts', routePrefix: undefined, below: '/api/v1/accounts', app: '' },
  { title: "the app's routePrefix", prefix: undefined, routePrefix: '/api', below: '/api/auth', app: '/api' },
  { title: 'both', prefix: '/a', routePrefix: '/b', below: '/b/a', app: '/b' },
])('under $title', ({ prefix, routePrefix, below, app: appBase }) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ auth: { prefix }, server: { routePrefix }, controllers: [MeController] });
  });
  afterAll(() => app.close());

  test('every route answers there and nowhere else', async () => {
    const client = app.client();
    const post = (path: string, body?: unknown, headers = {}) => client.send('POST', path, body, headers);
    const { body } = await post(`${below}/registration`, CREDENTIALS);
    const bearer = { authorization: `Bearer ${body.access}` };
    expect((await client.send('GET', `${below}/user`, undefined, bearer)).status).toBe(200);
    const kind = { email: 'user@example.com', kind: 'AppUser' };
    expect((await client.send('GET', `${appBase}/me/user`, undefined, bearer)).body).toEqual(kind);
    const login = await post(`${below}/login`, CREDENTIALS);
    const refreshed = await post(`${below}/refresh`, undefined, { cookie: `refresh_token=${login.cookie?.value}` });
    expect(refreshed.status).toBe(200);
    const cookie = { cookie: `refresh_token=${refreshed.cookie?.value}` };
    expect((await post(`${below}/logout`, undefined, cookie)).status).toBe(204);
    expect((await post(`${below}/logout-all`, undefined, bearer)).status).toBe(204);

    expectProblemDetails(await client.get(`${below}/nothing`), 404, 'not_found');
    expectProblemDetails(await post(`${below}/login`, '{'), 400, 'malformed_json');
    const elsewhere = await post('/auth/login', CREDENTIALS);
    expect(elsewhere.status).toBe(404);
    expect(elsewhere.headers.getSetCookie()).toEqual([]);
  });
});

test.each(['', '/', 'auth', '/auth/', '//auth', '/a b', '/:tenant', '/auth*', '/auth?x', '/auth#x', '/(auth)'])(
  'the prefix "%s" is refused at start',
  async (prefix) => {
    const app = await createTestApp();
    const options = {
      orm: app.orm,
      settings: { secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY },
      container: Container.of('bad prefix'),
      prefix,
    };
    await expect(createJwtAllauth(options)).rejects.toThrow(/prefix must be a path/);
    await app.close();
  },
);

test.each(['api', '/api/', 'api/'])('the routePrefix "%s" is refused at start', async (routePrefix) => {
  await expect(createTestApp({ server: { routePrefix } })).rejects.toThrow(/routePrefix must start with a slash/);
});

describe('a REFRESH_TOKEN_COOKIE_PATH', () => {
  const publicUrl = 'https://app.example.com/v1/';
  test.each(['/auth', '/v1/au', '/v1/auth/refresh', '/v'])('%s together with PUBLIC_URL is refused', async (path) => {
    const settings = { publicUrl, refreshTokenCookiePath: path };
    await expect(createTestApp({ settings })).rejects.toThrow(/refreshTokenCookiePath is .* below \/v1\/auth:/);
  });

  test.each(['/', '/v1', '/v1/', '/v1/auth', '/v1/auth/'])('%s together with PUBLIC_URL is accepted', async (path) => {
    const app = await createTestApp({ settings: { publicUrl, refreshTokenCookiePath: path } });
    expect(app.log).toEqual([]);
    await app.close();
  });

  test('that does not include routePrefix causes a warning without PUBLIC_URL, and none with bodies', async () => {
    const server = { routePrefix: '/api' };
    const app = await createTestApp({ server, settings: { refreshTokenCookiePath: '/auth' } });
    expect(app.log).toMatchObject([
      { level: 'warn', message: expect.stringContaining('are below /api/auth: browsers do not send the cookie') },
    ]);
    await app.close();
    const settings = { publicUrl, refreshTokenAsCookie: false, refreshTokenCookiePath: '/auth' };
    const bodies = await createTestApp({ settings });
    expect(bodies.log).toEqual([]);
    await bodies.close();
  });
});

describe('two differently configured apps in one process', () => {
  let one: TestApp;
  let two: TestApp;
  beforeAll(async () => {
    one = await createTestApp({ controllers: [MeController] });
    two = await createTestApp({
      express: 5,
      user: IntegerUser,
      controllers: [MeController],
      settings: {
        secretKey: 'the secret of the second app, and not of the first',
        encryptionKeys: ENCRYPTION_KEY,
        refreshTokenAsCookie: false,
        accessTokenLifetime: '1m',
        refreshReuseGrace: 0,
      },
    });
  });
  afterAll(async () => {
    await one.close();
    await two.close();
  });

  test('keep users, sessions, settings and tokens apart', async () => {
    const [first, second] = [one.client(), two.client()];
    expect((await first.register('user@example.com')).headers.getSetCookie()).toHaveLength(1);
    expectProblemDetails(await second.login('user@example.com'), 401, 'incorrect_credentials');
    expect(Object.keys((await second.register('user@example.com')).body)).toEqual(['access', 'refresh']);
    expect((await first.get('/me/user')).body).toEqual({ email: 'user@example.com', kind: 'AppUser' });
    expect((await second.get('/me/user')).body).toEqual({ email: 'user@example.com', kind: 'IntegerUser' });

    expectProblemDetails(await two.client().send('GET', '/me/user', undefined, first.bearer), 401, 'token_not_valid');
    expectProblemDetails(await one.client().send('GET', '/me/user', undefined, second.bearer), 401, 'token_not_valid');
    const crossed = await two.client().send('POST', '/auth/refresh', { refresh: first.refreshToken });
    expectProblemDetails(crossed, 401, 'token_not_valid');
    expect([await one.liveSessions(), await two.liveSessions()]).toEqual([1, 1]);
    expect([one.log, two.log]).toEqual([[], []]);

    const [stale, late] = [first.copy(), second.copy()];
    await Promise.all([first.refresh(), second.refresh()]);
    expect((await stale.refresh()).status).toBe(200);
    expectProblemDetails(await late.refresh(), 401, 'refresh_token_reused');
    expect([await one.liveSessions(), await two.liveSessions()]).toEqual([1, 0]);
    expect([one.events.length, two.events.map(({ reuse }) => reuse)]).toEqual([1, ['replay']]);

    one.clock.advance(61);
    two.clock.advance(61);
    expect((await first.get('/me/user')).status).toBe(200);
    expectProblemDetails(await second.get('/me/user'), 401, 'token_not_valid');
  });

  test('serve requests at the same time, each with its own EntityManager', async () => {
    const [first, second] = [await one.signedUp(), await two.signedUp()];
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => (index % 2 ? first : second).get('/me/user')),
    );
    expect(answers.map(({ body }) => body.kind)).toEqual(answers.map((_, i) => (i % 2 ? 'AppUser' : 'IntegerUser')));
  });
});

describe('one ORM, mounted twice on one Express app', () => {
  let app: TestApp;
  let server: Server;
  let url: string;
  beforeAll(async () => {
    app = await createTestApp();
    const mounted = express();
    const shared = { orm: app.orm, clock: app.clock };
    const settings = {
      secretKey: SECRET,
      encryptionKeys: ENCRYPTION_KEY,
      development: true,
      refreshToken: AppRefreshToken,
      loginRateLimit: 'off',
    };
    const staffSecret = 'the secret of the part of the app for staff';
    secrets.add(staffSecret);
    const site = await createJwtAllauth({ ...shared, settings, prefix: '/auth', container: ownContainer('site') });
    const staff = await createJwtAllauth({
      ...shared,
      settings: { ...settings, secretKey: staffSecret, refreshTokenAsCookie: false },
      prefix: '/staff/auth',
      container: ownContainer('staff'),
    });
    useExpressServer(mounted, site.serverOptions({ controllers: [MeController] }));
    useExpressServer(mounted, staff.serverOptions());
    server = mounted.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await app.close();
  });

  test('each prefix has its own settings, over the same users', async () => {
    const client = new TestClient(url, 'cookie', 'refresh_token');
    expect((await client.register('user@example.com')).headers.getSetCookie()).toHaveLength(1);
    const staff = await client.send('POST', '/staff/auth/login', CREDENTIALS);
    expect(staff).toMatchObject({ status: 200, body: { refresh: expect.any(String) } });
    expect(staff.headers.getSetCookie()).toEqual([]);
    expect((await client.refresh()).status).toBe(200);
    const refreshed = await client.send('POST', '/staff/auth/refresh', { refresh: staff.body.refresh });
    expect(refreshed.status).toBe(200);
    const bearer = { authorization: `Bearer ${staff.body.access}` };
    expect((await client.send('GET', '/staff/auth/user', undefined, bearer)).status).toBe(200);
    expectProblemDetails(await client.send('GET', '/me/user', undefined, bearer), 401, 'token_not_valid');
    expect((await client.get('/me/user')).body).toEqual({ email: 'user@example.com', kind: 'AppUser' });
    expectProblemDetails(await client.get('/staff/auth/user'), 401, 'token_not_valid');
    expectProblemDetails(await client.get('/auth/nothing'), 404, 'not_found');
    expectProblemDetails(await client.get('/staff/auth/nothing'), 404, 'not_found');
    expect(await app.liveSessions()).toBe(2);
  });
});
