import { fileURLToPath } from 'node:url';
import express from 'express';
import type { BrowserContext, Page } from 'playwright-core';
import { afterEach, describe, expect, test } from 'vitest';
import type { SettingsInput } from '../../src/index.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';
import { until } from '../support/until.js';
import { useChromium } from './shared-chromium.js';

const LIBRARY = fileURLToPath(new URL('../../dist/src', import.meta.url));
const EMAIL = 'cookies@example.com';
const OWN = 'http://app.localhost';
const CROSS = 'http://api.localhost';

/** A page whose client calls the server at the URL in its query. */
const PAGE = `<!doctype html><title>tab</title><link rel="icon" href="data:,"><script type="module">
  import { AuthClient } from '/client/index.js';
  const now = Date.now.bind(Date);
  window.offset = 0;
  Date.now = () => now() + window.offset;
  window.client = new AuthClient({ url: (new URLSearchParams(location.search).get('api') ?? '') + '/auth' });
</script>`;

const chromium = useChromium('*.localhost');
let app: TestApp;
let context: BrowserContext;
/** The requests that change the refresh cookie, in the order of their arrival. */
let sent: string[];
/** The answer to the next refresh waits for this promise. */
let hold: Promise<void> | undefined;
let exposedHeaders: string | undefined;
const apps: TestApp[] = [];

function configure(server: express.Express): void {
  server.use(express.static(LIBRARY));
  server.get('/tab', (_request, response) => void response.type('html').send(PAGE));
  server.use('/auth', (request, response, next) => {
    if (request.headers.origin === OWN && request.hostname === 'api.localhost') {
      response.set({ 'Access-Control-Allow-Origin': OWN, 'Access-Control-Allow-Credentials': 'true' });
      if (exposedHeaders) response.set('Access-Control-Expose-Headers', exposedHeaders);
      response.set('Access-Control-Allow-Headers', 'Content-Type, Authorization');
    }
    if (request.method === 'OPTIONS') return void response.sendStatus(204);
    if (request.method === 'POST') sent.push(request.path);
    const wait = request.path === '/refresh' ? hold : undefined;
    if (wait) hold = undefined;
    (wait ?? Promise.resolve()).then(() => next());
  });
}

/** @param older an app whose database the new one uses */
async function start(settings: SettingsInput = {}, older?: TestApp): Promise<void> {
  app = await createTestApp({
    express: 5,
    settings: { development: true, accessTokenLifetime: '1m', ...settings },
    configure,
    ...(older && { database: older.database }),
  });
  apps.unshift(app);
  sent = [];
  hold = exposedHeaders = undefined;
  chromium.serve(Number(new URL(app.url).port));
  context = await chromium.newContext();
}
afterEach(async () => {
  await chromium.closeContexts();
  for (const each of apps.splice(0)) await each.close();
});

async function openTab(url = `${OWN}/tab`): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction('window.client');
  return page;
}

const CREDENTIALS = JSON.stringify({ email: EMAIL, password: PASSWORD });
const result = (page: Page, call: string) =>
  page.evaluate(`client.${call}.then((result) => result ?? client.state,
    ({ code, retryAfter }) => ({ code, retryAfter }))`);
const restore = (page: Page) => result(page, 'restore()');
const become = (page: Page, wanted: string) => page.waitForFunction(`client.state.status === '${wanted}'`);
const cookies = async () =>
  (await context.cookies()).map(({ name, domain }) => `${name} ${domain}`).filter((each) => /refresh_token/.test(each));
const count = (path: string) => sent.filter((each) => each === path).length;

async function expire(tabs: Page[]): Promise<void> {
  app.clock.advance('61s');
  await Promise.all(tabs.map((tab) => tab.evaluate('void (window.offset += 61_000)')));
}

test('an anonymous visitor causes no message in the console', async () => {
  await start();
  const page = await context.newPage();
  const messages: string[] = [];
  page.on('console', (message) => messages.push(message.text()));
  page.on('pageerror', (error) => messages.push(error.message));
  const statuses: number[] = [];
  page.on('response', (response) => statuses.push(response.status()));
  await page.goto(`${OWN}/tab`);
  await page.waitForFunction('window.client');
  expect(await restore(page)).toEqual({ status: 'signed-out' });
  expect(messages).toEqual([]);
  expect(statuses.filter((status) => status >= 400)).toEqual([]);
  expect(sent).toEqual(['/refresh']);
});

describe('the cookie of a session that was ended elsewhere', () => {
  let tabs: Page[];

  async function end(): Promise<void> {
    const owner = await app.signedUp(EMAIL);
    tabs = await Promise.all(Array.from({ length: 10 }, () => openTab()));
    await result(tabs[0] as Page, `login(${CREDENTIALS})`);
    for (const tab of tabs) await become(tab, 'signed-in');
    await owner.logoutAll();
    sent = [];
  }

  test('is removed once for ten tabs, and all of them become signed out', async () => {
    await start();
    await end();
    await expire(tabs);
    const out = { status: 'signed-out', reason: 'token_not_valid' };
    expect(await Promise.all(tabs.map(restore))).toEqual(tabs.map(() => out));
    await until(async () => (await cookies()).length === 0);
    expect(sent).toEqual(['/refresh', '/logout']);
    expect(await restore(await openTab())).toEqual({ status: 'signed-out' });
    expect(app.events).toMatchObject([{ reuse: 'revoked-session' }]);
  });

  test('is removed once for ten tabs that reload at the same time', async () => {
    await start();
    await end();
    await Promise.all(tabs.map((tab) => tab.reload()));
    for (const tab of tabs) await tab.waitForFunction('window.client');
    for (const { status } of (await Promise.all(tabs.map(restore))) as { status: string }[]) {
      expect(status).toBe('signed-out');
    }
    await until(async () => (await cookies()).length === 0);
    expect(count('/logout')).toBe(1);
  });

  test('is removed before another tab signs in at the same time, and the new cookie stays', async () => {
    await start();
    await end();
    await expire(tabs);
    const { promise, resolve: answer } = Promise.withResolvers<void>();
    hold = promise;
    const restored = Promise.all(tabs.slice(1).map(restore));
    await until(() => count('/refresh') === 1);
    const signedIn = result(tabs[0] as Page, `login(${CREDENTIALS})`);
    answer();
    expect(await signedIn).toMatchObject({ status: 'signed-in' });
    await restored;
    for (const tab of tabs) await become(tab, 'signed-in');
    expect(count('/logout')).toBe(1);
    expect(sent.indexOf('/logout')).toBeLessThan(sent.indexOf('/login'));
    expect(await cookies()).toHaveLength(1);
    expect(await result(tabs[5] as Page, 'refresh()')).toMatchObject({ status: 'signed-in' });
    expect(await app.liveSessions()).toBe(1);
  });
});

describe('a page of another site than the API', () => {
  const url = `${OWN}/tab?api=${CROSS}`;

  test.each<[string, SettingsInput]>([
    ['SameSite=Lax', {}],
    [
      'Secure, which a page without TLS cannot keep',
      { refreshTokenCookieSameSite: 'none', refreshTokenCookieSecure: true },
    ],
  ])('gets the error cookie_not_kept at sign-in if the browser refuses a cookie that is %s', async (_, settings) => {
    await start({ trustedOrigins: [OWN], ...settings });
    await app.signedUp(EMAIL);
    sent = [];
    const page = await openTab(url);
    expect(await result(page, `login(${CREDENTIALS})`)).toEqual({ code: 'cookie_not_kept' });
    expect(await page.evaluate('client.state')).toEqual({ status: 'signed-out', reason: 'cookie_not_kept' });
    expect(await cookies()).toEqual([]);
    expect(sent).toEqual(['/login', '/refresh']);
  });

  test.each([
    ['knows', 'Retry-After, WWW-Authenticate', { code: 'too_many_requests', retryAfter: expect.any(Number) }],
    ['does not know', undefined, { code: 'too_many_requests' }],
  ])('%s how long to wait where the exposed headers are %s', async (_, exposed, expected) => {
    await start({ trustedOrigins: [OWN], loginRateLimit: '1/15m/ip' });
    exposedHeaders = exposed;
    const page = await openTab(url);
    const wrong = `login({ email: '${EMAIL}', password: 'not the password' })`;
    expect(await result(page, wrong)).toEqual({ code: 'incorrect_credentials' });
    expect(await result(page, wrong)).toEqual(expected);
  });
});

test.each<[string, SettingsInput, SettingsInput, string]>([
  ['is given a DOMAIN', {}, { refreshTokenCookieDomain: 'app.localhost' }, 'refresh_token .app.localhost'],
  [
    'loses its DOMAIN',
    { refreshTokenCookieDomain: 'app.localhost' },
    { olderCookieDomains: ['app.localhost'] },
    'refresh_token app.localhost',
  ],
])('a user stays signed in, with one cookie, when the refresh cookie %s', async (_, older, newer, identity) => {
  // The second browser has the cookie of the first one, and not its key.
  await start({ ...older, dpop: 'off' });
  let page = await openTab();
  await result(page, `register(${CREDENTIALS})`);
  const [old] = await context.cookies();
  await chromium.closeContexts();
  await start({ ...newer, dpop: 'off' }, app);
  await context.addCookies([old as NonNullable<typeof old>]);
  page = await openTab();
  expect(await restore(page)).toMatchObject({ status: 'signed-in' });
  expect(await cookies()).toEqual([identity]);
  await context.addCookies([old as NonNullable<typeof old>]); // as if another old server had set it again
  expect(await cookies()).toHaveLength(2);
  await expire([page]);
  expect(await restore(page)).toMatchObject({ status: 'signed-in' });
  expect(await cookies()).toEqual([identity]);
  await page.reload();
  await page.waitForFunction('window.client');
  expect(await restore(page)).toMatchObject({ status: 'signed-in' });
  expect(await app.liveSessions()).toBe(1);
  expect(app.events).toEqual([]);
});
