import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { AuthClient } from '../../src/client/index.js';
import { memoryStore } from '../../src/client/store.js';
import { ClientNetwork } from '../support/client-network.js';
import { fingerprint } from '../support/database-fingerprint.js';
import { documentOf } from '../support/documented-app.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { expectProblemDetails } from '../support/problem-details.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { type Answer, PASSWORD, type TestClient } from '../support/test-client.js';

const NEW = 'another sentence, as long';
const BODY = { 'auth-transport': 'body' };
/** Both request a cookie. */
const COOKIE: readonly Record<string, string>[] = [{}, { 'auth-transport': 'cookie' }];
const FOREIGN = { origin: 'https://elsewhere.example' };

/** How an answer treats a refresh token: it has it in its body, or sets or clears a cookie. */
const ways = ({ body, headers }: Answer) => [
  ...(body?.refresh ? ['body'] : []),
  ...headers.getSetCookie().map((cookie) => (/Max-Age=0/.test(cookie) ? 'clears cookie' : 'sets cookie')),
];

describe('REFRESH_TOKEN_TRANSPORT both', () => {
  let app: TestApp;
  let cookies: TestClient;
  let bodies: { access: string; refresh: string; email: string };
  let count = 0;
  beforeAll(async () => {
    app = await createTestApp({ settings: { refreshTokenTransport: 'both' } });
  });
  afterAll(() => app.close());

  const send = (path: string, body?: object, headers: Record<string, string> = {}, method = 'POST') =>
    app.client().send(method, `/auth${path}`, body, headers);
  const bearer = (access: string) => ({ authorization: `Bearer ${access}` });

  /** A user who has signed up with a cookie, and another one with a body. */
  async function signUpBoth(): Promise<void> {
    cookies = await app.signedUp();
    const email = `body${++count}@example.com`;
    const answer = await send('/registration', { email, password: PASSWORD }, BODY);
    expect([answer.status, ways(answer)]).toEqual([201, ['body']]);
    bodies = { email, ...answer.body };
  }

  test('a request without the header, and one that says cookie, gets a cookie and never a body', async () => {
    await signUpBoth();
    for (const headers of COOKIE) {
      const login = await send('/login', { email: bodies.email, password: PASSWORD }, headers);
      expect([login.status, Object.keys(login.body), ways(login)]).toEqual([200, ['access'], ['sets cookie']]);
      const refreshed = await send('/refresh', undefined, {
        cookie: `refresh_token=${login.cookie?.value}`,
        ...headers,
      });
      expect([refreshed.status, Object.keys(refreshed.body), ways(refreshed)]).toEqual([
        200,
        ['access'],
        ['sets cookie'],
      ]);
      const inBody = await send('/refresh', { refresh: bodies.refresh }, headers);
      expectProblemDetails(inBody, 400, 'refresh_token_missing');
    }
    expect((await send('/refresh', { refresh: bodies.refresh }, BODY)).status).toBe(200);
  });

  test('a token in the body without the header gets an error that names the header, and not the token', async () => {
    await signUpBoth();
    for (const path of ['/refresh', '/logout']) {
      for (const headers of COOKIE) {
        const answer = await send(path, { refresh: bodies.refresh }, headers);
        expectProblemDetails(answer, 400, 'refresh_token_missing', [bodies.refresh]);
        expect(answer.body.detail).toContain('Auth-Transport: body');
      }
      for (const body of [undefined, {}, [], { refresh: '' }]) {
        const answer = await send(path, body);
        expect(answer.body.detail).not.toContain('Auth-Transport');
      }
      expect((await send(path, {}, BODY)).body.detail).toBe('The request has no refresh token.');
    }
    const cookieOnly = await createTestApp();
    const answer = await cookieOnly.client().send('POST', '/auth/refresh', { refresh: bodies.refresh });
    expect(answer.body).toMatchObject({ code: 'refresh_token_missing', detail: 'The request has no refresh token.' });
    await cookieOnly.close();
  });

  test('a request that says body gets a body and never a cookie: sign-in, refresh, password change, both sign-outs', async () => {
    await signUpBoth();
    const login = await send('/login', { email: bodies.email, password: PASSWORD }, BODY);
    const refreshed = await send('/refresh', { refresh: login.body.refresh }, BODY);
    const change = { oldPassword: PASSWORD, newPassword: NEW };
    const changed = await send('/password/change', change, { ...bearer(refreshed.body.access), ...BODY });
    for (const answer of [login, refreshed, changed]) {
      expect([answer.status, Object.keys(answer.body), ways(answer)]).toEqual([200, ['access', 'refresh'], ['body']]);
    }
    const again = await send('/refresh', { refresh: changed.body.refresh }, BODY);
    const out = await send('/logout', { refresh: again.body.refresh }, BODY);
    expect([out.status, ways(out)]).toEqual([204, []]);
    const other = await send('/login', { email: bodies.email, password: NEW }, BODY);
    const everywhere = await send('/logout-all', undefined, { ...bearer(other.body.access), ...BODY });
    expect([everywhere.status, ways(everywhere)]).toEqual([204, []]);
    const dead = await send('/logout', { refresh: 'eyJ.e30.x' }, BODY);
    expect([dead.status, ways(dead)]).toEqual([401, []]);
    const last = await send('/login', { email: bodies.email, password: NEW }, BODY);
    const gone = await send('/user', { password: NEW }, { ...bearer(last.body.access), ...BODY }, 'DELETE');
    expect([gone.status, ways(gone)]).toEqual([204, []]);
  });

  test('a request that says body ignores a cookie that is sent, does not end its session, and does not clear it', async () => {
    await signUpBoth();
    const along = { ...cookies.cookieHeader, ...BODY };
    const before = await fingerprint(app.database);
    for (const path of ['/refresh', '/logout']) {
      const answer = await send(path, undefined, along);
      expectProblemDetails(answer, 400, 'refresh_token_missing');
      expect(ways(answer)).toEqual([]);
    }
    expect(await fingerprint(app.database)).toBe(before);
    const login = await send('/login', { email: bodies.email, password: PASSWORD }, along);
    const signUp = await send('/registration', { email: `along${count}@example.com`, password: PASSWORD }, along);
    const out = await send('/logout', { refresh: login.body.refresh }, along);
    expect([login, signUp, out].map(ways)).toEqual([['body'], ['body'], []]);
    expect((await cookies.refresh()).status).toBe(200); // the session of the cookie is unchanged
  });

  test('a cookie requires the own origin; body requests from a foreign page get nothing from a cookie', async () => {
    await signUpBoth();
    const { cookieHeader } = cookies;
    const credentials = { email: bodies.email, password: PASSWORD };
    for (const [path, body] of [['/login', credentials], ['/refresh'], ['/logout']] as const) {
      for (const headers of COOKIE) {
        const answer = await send(path, body, { ...cookieHeader, ...headers, ...FOREIGN });
        expectProblemDetails(answer, 403, 'csrf_failed');
      }
    }
    expectProblemDetails(
      await send('/refresh', undefined, { ...cookieHeader, ...BODY, ...FOREIGN }),
      400,
      'refresh_token_missing',
    );
    const login = await send('/login', credentials, { ...cookieHeader, ...BODY, ...FOREIGN });
    expect([login.status, ways(login)]).toEqual([200, ['body']]);
    const refreshed = await send('/refresh', { refresh: login.body.refresh }, { ...BODY, ...FOREIGN });
    expect([refreshed.status, ways(refreshed)]).toEqual([200, ['body']]);
    expect((await cookies.refresh()).status).toBe(200);
  });

  test.each(['Cookie', 'both', '', 'body, cookie', 'constructor'])(
    'the header with the value "%s" is 400, and nothing happens',
    async (value) => {
      await signUpBoth();
      const before = await fingerprint(app.database);
      const odd = { 'auth-transport': value, ...cookies.cookieHeader };
      const requests: [method: string, path: string, body?: object][] = [
        ['POST', '/registration', { email: 'odd@example.com', password: PASSWORD }],
        ['POST', '/login', { email: bodies.email, password: PASSWORD }],
        ['POST', '/refresh', { refresh: bodies.refresh }],
        ['POST', '/logout', { refresh: bodies.refresh }],
        ['POST', '/logout-all'],
        ['POST', '/password/change', { oldPassword: PASSWORD, newPassword: NEW }],
        ['DELETE', '/user', { password: PASSWORD }],
      ];
      for (const [method, path, body] of requests) {
        const answer = await send(path, body, { ...bearer(cookies.access), ...odd }, method);
        expectProblemDetails(answer, 400, 'bad_request');
        expect(answer.body.detail).toBe('The header Auth-Transport must be cookie or body here.');
        expect(ways(answer)).toEqual([]);
      }
      expect(await fingerprint(app.database)).toBe(before);
    },
  );

  test('a client with a store and one with a cookie jar can use one server', async () => {
    await signUpBoth();
    const network = new ClientNetwork();
    const url = `${app.url}/auth`;
    const credentials = { email: bodies.email, password: PASSWORD };
    const [native, browser] = [memoryStore(), undefined].map(
      (store) => new AuthClient({ url, fetch: network.fetch, ...(store && { store }) }),
    ) as [AuthClient, AuthClient];
    for (const client of [native, browser]) {
      expect((await client.login(credentials)).status).toBe('signed-in');
      expect((await client.refresh()).status).toBe('signed-in');
      expect((await client.getUser()).email).toBe(bodies.email);
    }
    await native.logout();
    expect((await browser.refresh()).status).toBe('signed-in');
    for (const client of [native, browser]) client.close();
  });

  test('the document has the header, either credential, and a refresh token that may be in the body', () => {
    const { paths, components } = documentOf(app, {});
    const login = paths['/auth/login']?.['post'];
    const refresh = paths['/auth/refresh']?.['post'];
    const header = { name: 'Auth-Transport', in: 'header', schema: { enum: ['cookie', 'body'], default: 'cookie' } };
    const proof = { name: 'DPoP', in: 'header' };
    expect(login?.parameters).toMatchObject([{ name: header.name, in: header.in }, proof]);
    expect(login?.parameters?.[0]?.schema).toMatchObject(header.schema);
    expect(refresh?.parameters?.map(({ name }) => name)).toEqual(['quiet', 'Auth-Transport', 'DPoP']);
    expect(refresh?.security).toEqual([{ refreshCookie: [] }, {}]);
    expect(refresh?.requestBody).toMatchObject({ required: false });
    expect(components.schemas['AuthTokens']).toMatchObject({
      properties: { access: {}, refresh: {} },
      required: ['access'],
    });
    expect(paths['/auth/user']?.['get']?.parameters).toBeUndefined();
  });
});

describe('a setting that allows one transport', () => {
  test.each([
    ['cookie', 'body'],
    ['body', 'cookie'],
  ] as const)('%s refuses the header of the other transport, and accepts its own', async (own, other) => {
    const app = await createTestApp({ settings: { refreshTokenTransport: own } });
    try {
      const signUp = (email: string, transport: string) =>
        app.client().send('POST', '/auth/registration', { email, password: PASSWORD }, { 'auth-transport': transport });
      expectProblemDetails(await signUp('one@example.com', other), 400, 'bad_request');
      expect((await app.database.pool.query('select 1 from app_user')).rows).toEqual([]);
      const answer = await signUp('two@example.com', own);
      expect([answer.status, ways(answer)]).toEqual([201, [own === 'body' ? 'body' : 'sets cookie']]);
    } finally {
      await app.close();
    }
  });
});

describe('a password that is set by mail, if each request chooses', () => {
  let app: MailApp;
  afterEach(() => app.close());

  /** The one-time cookie of a reset link that was opened. */
  async function opened(): Promise<{ cookie: string; location: string }> {
    app = await createMailApp({ refreshTokenTransport: 'both' });
    await app.signedUp('ada@example.com');
    await app.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
    const { cookies, location } = await app.open(await app.linkTo('ada@example.com'));
    const cookie = cookies.get('password_reset_access_token')?.split(';')[0] ?? '';
    return { cookie, location: location ?? '' };
  }

  test("signs in with the transport in the app's request, and requires the own origin for both", async () => {
    const { cookie } = await opened();
    const setNew = (headers: Record<string, string>) =>
      app.client().send('POST', '/auth/password/reset/set-new', { newPassword: NEW }, { cookie, ...headers });
    expectProblemDetails(await setNew({ ...BODY, ...FOREIGN }), 403, 'csrf_failed');
    const answer = await setNew(BODY);
    expect([answer.status, Object.keys(answer.body)]).toEqual([200, ['access', 'refresh']]);
    expect(answer.headers.getSetCookie().filter((each) => each.startsWith('refresh_token='))).toEqual([]);
  });

  test("signs in with a cookie from the library's form", async () => {
    const { cookie, location } = await opened();
    const { status, cookies } = await app.open(location, {
      method: 'POST',
      headers: { cookie, 'content-type': 'application/x-www-form-urlencoded', ...BODY },
      body: new URLSearchParams({ newPassword: NEW }),
    });
    expect(status).toBe(200);
    expect(cookies.get('refresh_token')).toMatch(/^refresh_token=eyJ/);
  });
});

test('a sign-up whose link will sign in requires the own origin with both transports', async () => {
  const app = await createMailApp({
    refreshTokenTransport: 'both',
    emailVerification: 'mandatory',
    sessionOnEmailVerification: true,
  });
  try {
    const signUp = (headers: Record<string, string>) =>
      app.client().send('POST', '/auth/registration', { email: 'mallory@example.com', password: PASSWORD }, headers);
    for (const headers of COOKIE.concat(BODY)) {
      const answer = await signUp({ ...headers, ...FOREIGN });
      expectProblemDetails(answer, 403, 'csrf_failed');
      expect(answer.headers.getSetCookie()).toEqual([]);
    }
    expect((await signUp(BODY)).status).toBe(201);
    expect(await app.mailsTo('mallory@example.com')).toHaveLength(1);
  } finally {
    await app.close();
  }
});
