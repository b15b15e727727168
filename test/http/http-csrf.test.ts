import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SettingsInput } from '../../src/index.js';
import { fingerprint } from '../support/database-fingerprint.js';
import { expectProblemDetails } from '../support/problem-details.js';
import { rawRequest } from '../support/raw-request.js';
import { secrets } from '../support/secrets.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { type Answer, PASSWORD, type TestClient } from '../support/test-client.js';

const TRUSTED = ['https://app.example.com', 'http://localhost:3000'];

/** Requests that a foreign page could make its visitor's browser send. */
const FLOWS = ['registration', 'login', 'refresh', 'logout'] as const;
type Flow = (typeof FLOWS)[number];
const SUCCESS: Record<Flow, number> = { registration: 201, login: 200, refresh: 200, logout: 204 };

let count = 0;

/** The changes to a request without any browser headers; `HOST` stands for the server's own host and port. */
type Headers = Record<string, string>;

/** Sends a flow as this client, with headers as a browser or a proxy would set them. */
async function send(app: TestApp, client: TestClient, flow: Flow, headers: Headers): Promise<Answer> {
  const host = new URL(app.url).host;
  const sent = Object.entries(headers).map(([name, value]) => [name, value.replace('HOST', host)]);
  const credentials = {
    email: flow === 'login' ? 'victim@example.com' : `new${++count}@example.com`,
    password: PASSWORD,
  };
  const isOpening = flow === 'login' || flow === 'registration';
  secrets.add(client.refreshToken);
  const byCookie = app.auth.settings.refreshTokenAsCookie;
  const body = isOpening ? credentials : byCookie ? undefined : { refresh: client.refreshToken };
  return rawRequest(`${app.url}/auth/${flow}`, {
    headers: {
      ...(!isOpening && client.cookieHeader),
      ...(body && { 'content-type': 'application/json' }),
      ...Object.fromEntries(sent),
    },
    body: body && JSON.stringify(body),
  });
}

async function expectAccepted(app: TestApp, headers: Headers): Promise<void> {
  for (const flow of FLOWS) {
    const client = await signIn(app);
    const live = await app.liveSessions();
    const answer = await send(app, client, flow, headers);
    expect(answer.status, flow).toBe(SUCCESS[flow]);
    const opened = { registration: 1, login: 1, refresh: 0, logout: -1 };
    expect(await app.liveSessions(), flow).toBe(live + opened[flow]);
  }
}

async function expectRefused(app: TestApp, headers: Headers): Promise<void> {
  const client = await signIn(app);
  for (const flow of FLOWS) {
    const before = await fingerprint(app.database);
    const answer = await send(app, client, flow, headers);
    const values = Object.values(headers).filter((value) => value.length > 4);
    expectProblemDetails(answer, 403, 'csrf_failed', values);
    expect(answer.headers.getSetCookie(), flow).toEqual([]);
    expect(answer.headers.get('cache-control'), flow).toBe('no-store');
    expect(await fingerprint(app.database), flow).toBe(before);
  }
  expect((await client.refresh()).status).toBe(200);
}

async function signIn(app: TestApp): Promise<TestClient> {
  const client = app.client();
  await client.login('victim@example.com');
  return client;
}

describe('a request that carries or gets a cookie', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ settings: { trustedOrigins: TRUSTED } });
    await app.signedUp('victim@example.com');
  });
  afterAll(() => app.close());

  test.each<[from: string, headers: Headers]>([
    ['a program, without Origin and Sec-Fetch-Site', {}],
    ['a page of the same origin', { origin: 'http://HOST' }],
    ['a page of the same origin behind a proxy that ends TLS', { origin: 'https://HOST' }],
    ['a page of the same origin under another name of the server', { origin: 'http://shop.test', host: 'shop.test' }],
    ['a page of the same origin whose Host is in capitals', { origin: 'http://shop.test', host: 'SHOP.test' }],
    ['a page of the same origin on a port of its own', { origin: 'http://shop.test:81', host: 'shop.test:81' }],
    ['a page of the same origin on IPv6', { origin: 'http://[::1]:81', host: '[::1]:81' }],
    ['a trusted page', { origin: 'https://app.example.com' }],
    ['a trusted page, from another site', { origin: 'https://app.example.com', 'sec-fetch-site': 'cross-site' }],
    ['a trusted page on a port', { origin: 'http://localhost:3000', 'sec-fetch-site': 'same-site' }],
    ['a page of the same origin, by Sec-Fetch-Site alone', { 'sec-fetch-site': 'same-origin' }],
    ['the address bar or a bookmark', { 'sec-fetch-site': 'none' }],
  ])('passes from %s', (_, headers) => expectAccepted(app, headers));

  test.each<[from: string, headers: Headers]>([
    ['a foreign page', { origin: 'https://evil.example' }],
    [
      'a foreign page that claims to be the same origin',
      { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
    ],
    ['a sandboxed frame or a file', { origin: 'null' }],
    ['a sandboxed frame that names its site', { origin: 'null', 'sec-fetch-site': 'same-origin' }],
    ['an empty Origin', { origin: '' }],
    ['a host that only begins like that of the app', { origin: 'http://HOST.evil.example' }],
    ['a host that only ends like that of the app', { origin: 'http://evilHOST' }],
    ['a name that only begins like that of the app', { origin: 'http://shop.test.evil.example', host: 'shop.test' }],
    ['a name that only ends like that of the app', { origin: 'http://evilshop.test', host: 'shop.test' }],
    ['a port that only begins like that of the app', { origin: 'http://shop.test:8080', host: 'shop.test:808' }],
    ['the host of the app as a user name in the URL', { origin: 'http://HOST@evil.example' }],
    ['the host of the app in the path of another', { origin: 'https://evil.example/HOST' }],
    ['the host of the app in the query of another', { origin: 'https://evil.example?http://HOST' }],
    ['two origins at once', { origin: 'http://HOST, https://evil.example' }],
    ['two origins at once, that of the app last', { origin: 'https://evil.example http://HOST' }],
    ['a subdomain', { origin: 'http://blog.shop.test', host: 'shop.test' }],
    ['the parent domain', { origin: 'http://shop.test', host: 'api.shop.test' }],
    ['another port', { origin: 'http://127.0.0.1:1' }],
    ['another port than the one of its scheme', { origin: 'http://shop.test', host: 'shop.test:8080' }],
    ['another name of the same machine', { origin: 'http://localhost:80', host: '127.0.0.1:80' }],
    ['another scheme', { origin: 'ftp://HOST' }],
    ['an extension of the browser', { origin: 'chrome-extension://abcdefghijklmnop' }],
    ['the host of the app without its scheme', { origin: 'HOST' }],
    ['a trusted host under another scheme', { origin: 'http://app.example.com' }],
    ['a trusted host on another port', { origin: 'https://app.example.com:8443' }],
    ['a subdomain of a trusted host', { origin: 'https://x.app.example.com' }],
    ['a host that only begins like a trusted one', { origin: 'https://app.example.com.evil.example' }],
    ['a host that only ends like a trusted one', { origin: 'https://evilapp.example.com' }],
    ['a list of the trusted ones', { origin: TRUSTED.join(',') }],
    [
      'a page that only a forged X-Forwarded-Host makes the same origin',
      { origin: 'https://evil.example', 'x-forwarded-host': 'evil.example' },
    ],
    ['another site, by Sec-Fetch-Site alone', { 'sec-fetch-site': 'cross-site' }],
    ['a sibling domain, by Sec-Fetch-Site alone', { 'sec-fetch-site': 'same-site' }],
    ['an unknown Sec-Fetch-Site', { 'sec-fetch-site': 'sideways' }],
    ['an empty Sec-Fetch-Site', { 'sec-fetch-site': '' }],
    [
      'a page with the Referer of the app, but another site in Sec-Fetch-Site',
      { referer: 'http://HOST/', 'sec-fetch-site': 'cross-site' },
    ],
  ])('is refused from %s', (_, headers) => expectRefused(app, headers));

  test('is refused before its body is read', async () => {
    for (const body of ['{', 'x'.repeat(120_000), '[]']) {
      const headers = { origin: 'https://evil.example', 'content-type': 'application/json' };
      expectProblemDetails(await rawRequest(`${app.url}/auth/login`, { headers, body }), 403, 'csrf_failed');
    }
  });
});

test('foreign origins are logged once a minute, twenty at most, and all are counted', async () => {
  const app = await createTestApp();
  const attack = async (origins: number, times: number) => {
    for (let index = 0; index < origins * times; index++) {
      const headers = { origin: `https://evil${index % origins}.example` };
      expect((await send(app, app.client(), 'login', headers)).status).toBe(403);
    }
  };
  await attack(1, 50);
  expect(app.log.map(({ origin, omitted }) => [origin, omitted])).toEqual([['https://evil0.example', undefined]]);
  await attack(100, 2);
  expect(app.log).toHaveLength(20);
  app.clock.advance('59s');
  await attack(1, 1);
  expect(app.log).toHaveLength(20);
  app.clock.advance('1s');
  await attack(1, 2);
  expect(app.log).toHaveLength(21);
  expect(app.log.map(({ omitted }) => omitted ?? 0).reduce((sum: number, each) => sum + Number(each), 21)).toBe(252);
  expect(app.log[20]).toMatchObject({ origin: 'https://evil0.example', code: 'csrf_failed' });
  expect(app.refusals.filter(({ code }) => code === 'csrf_failed')).toHaveLength(253);
  await app.close();
});

describe('a request that arrives over https', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ express: 5, configure: (express) => express.set('trust proxy', 'loopback') });
    await app.signedUp('victim@example.com');
  });
  afterAll(() => app.close());

  test('passes from a page on https', () =>
    expectAccepted(app, { origin: 'https://HOST', 'x-forwarded-proto': 'https' }));

  test('is refused from the same host on http, where anybody on the network can put a page', () =>
    expectRefused(app, { origin: 'http://HOST', 'x-forwarded-proto': 'https' }));
});

describe.each([4, 5] as const)('behind a proxy that rewrites Host, on Express %i', (express) => {
  let app: TestApp;
  const start = async (settings: SettingsInput, isTrusted: boolean) => {
    const configure = (own: { set(name: string, value: unknown): unknown }) =>
      isTrusted && own.set('trust proxy', 'loopback');
    app = await createTestApp({ settings, express, configure });
    await app.signedUp('victim@example.com');
  };
  afterEach(() => app.close());

  const forwarded = {
    host: 'upstream:3000',
    'x-forwarded-host': 'shop.test:8443, inner',
    origin: 'https://shop.test:8443',
  };

  test('the forwarded host counts if the app trusts the proxy', async () => {
    await start({}, true);
    await expectAccepted(app, forwarded);
    await expectRefused(app, { ...forwarded, origin: 'https://shop.test' });
  });

  test('it does not count if the app trusts none, and the log shows the compared values', async () => {
    await start({}, false);
    await expectRefused(app, forwarded);
    expect(app.log).toHaveLength(1);
    expect(app.log[0]).toMatchObject({
      level: 'warn',
      message: expect.stringMatching(/foreign origin refused.*publicUrl, trustedOrigins or Express's trust proxy$/),
      code: 'csrf_failed',
      origin: 'https://shop.test:8443',
      host: 'upstream:3000',
      protocol: 'http',
      trusted: [],
    });
    expect(app.log[0]?.['site']).toBeUndefined();
    expect(app.refusals.filter(({ code }) => code === 'csrf_failed')).toHaveLength(FLOWS.length);
  });

  test('the origin of PUBLIC_URL is trusted, and so are listed app origins', async () => {
    await start(
      { publicUrl: 'https://shop.test/app', trustedOrigins: 'capacitor://localhost,tauri://localhost' },
      false,
    );
    await expectAccepted(app, { origin: 'https://shop.test', host: 'upstream:3000' });
    await expectAccepted(app, { origin: 'capacitor://localhost' });
    await expectRefused(app, { origin: 'http://shop.test', host: 'upstream:3000' });
    await expectRefused(app, { origin: 'ionic://localhost' });
  });
});

test('a sign-in whose cookie the browser does not keep causes one warning per origin', async () => {
  const cross = { origin: 'https://app.example.com', 'sec-fetch-site': 'cross-site' };
  const app = await createTestApp({ settings: { trustedOrigins: TRUSTED } });
  await app.signedUp('victim@example.com');
  for (let times = 0; times < 3; times++) await send(app, app.client(), 'login', cross);
  await send(app, app.client(), 'login', { ...cross, origin: 'http://localhost:3000', 'sec-fetch-site': 'same-site' });
  expect(app.log.map(({ level, origin }) => [level, origin])).toEqual([['warn', 'https://app.example.com']]);
  expect(app.log[0]?.['set']).toContain('refreshTokenCookieSameSite=none');
  await app.close();
  const none = { refreshTokenCookieSameSite: 'none', refreshTokenCookieSecure: true, trustedOrigins: TRUSTED } as const;
  const kept = await createTestApp({ settings: none });
  await kept.signedUp('victim@example.com');
  expect((await send(kept, kept.client(), 'login', cross)).status).toBe(200);
  expect(kept.log).toEqual([]);
  await kept.close();
});

test.each<[page: string, host: string | undefined, advice: RegExp]>([
  ['http://localhost:5173', undefined, /^localhost as the host of the page and of the API$/],
  ['http://127.0.0.1:5173', 'localhost:3000', /^localhost as the host/],
  ['http://localhost:5173', '[::1]:3000', /^localhost as the host/],
  ['http://localhost:5173', 'api.example.com', /^refreshTokenCookieSameSite=none/],
  ['http://localhost:5173', 'localhost:3000', /^refreshTokenCookieSameSite=none/], // an API with TLS
  ['https://app.example.com', undefined, /^refreshTokenCookieSameSite=none/],
  ['http://localhost.example.com', undefined, /^refreshTokenCookieSameSite=none/],
])('the warning about a lost cookie fits a page of %s and an API at %s', async (origin, host, advice) => {
  const app = await createTestApp({ settings: { trustedOrigins: [origin] } });
  await app.signedUp('victim@example.com');
  const headers = { origin, 'sec-fetch-site': 'cross-site', ...(host && { host }) };
  expect((await send(app, app.client(), 'login', headers)).status).toBe(200);
  expect(app.log).toMatchObject([{ level: 'warn', origin, set: expect.stringMatching(advice) }]);
  await app.close();
});

test('every answer of the library has nosniff', async () => {
  const app = await createTestApp();
  const client = await app.signedUp();
  const answers = [
    await client.get('/auth/user'),
    await client.get('/auth/.well-known/jwks.json'),
    await client.get('/auth/nothing'),
    await client.send('POST', '/auth/login', '{'),
    await client.refresh(),
    await client.logout(),
  ];
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 400, 200, 204]);
  for (const { headers } of answers) expect(headers.get('x-content-type-options')).toBe('nosniff');
  await app.close();
});

describe('without TRUSTED_ORIGINS', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp();
    await app.signedUp('victim@example.com');
  });
  afterAll(() => app.close());

  test.each(TRUSTED)('%s is foreign', (origin) => expectRefused(app, { origin }));

  test('a bearer token needs no origin check, because no foreign page has it', async () => {
    const client = await signIn(app);
    const origin = { origin: 'https://evil.example' };
    const passwords = { oldPassword: PASSWORD, newPassword: 'another sentence, as long' };
    const answers = [
      await client.send('PATCH', '/auth/user', { firstName: 'Ada' }, { ...client.bearer, ...origin }),
      await client.send('POST', '/auth/logout-all', undefined, { ...client.bearer, ...origin }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 204]);
    const again = await signIn(app);
    const changed = await again.send('POST', '/auth/password/change', passwords, { ...again.bearer, ...origin });
    expect(changed.status).toBe(200);
    for (const path of ['/auth/logout-all', '/auth/password/change']) {
      const answer = await again.send('POST', path, passwords, { ...again.cookieHeader, ...origin });
      expectProblemDetails(answer, 401, 'not_authenticated');
    }
  });
});

describe('in body mode', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ settings: { refreshTokenAsCookie: false } });
    await app.signedUp('victim@example.com');
  });
  afterAll(() => app.close());

  test.each<[from: string, headers: Headers]>([
    ['a foreign page', { origin: 'https://evil.example' }],
    ['a sandboxed frame', { origin: 'null' }],
    ['another site', { 'sec-fetch-site': 'cross-site' }],
  ])('%s is accepted: there is no cookie to abuse', (_, headers) => expectAccepted(app, headers));
});
