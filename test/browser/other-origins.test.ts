import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import express from 'express';
import type { BrowserContext, Page } from 'playwright-core';
import { afterEach, expect, test } from 'vitest';
import type { SettingsInput } from '../../src/index.js';
import { importSnippet } from '../support/documented-snippet.js';
import { manual } from '../support/manual.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';
import { serveByTls } from '../support/tls-server.js';
import { openChromiumByTls } from './chromium.js';

const LIBRARY = fileURLToPath(new URL('../../dist/src', import.meta.url));
const API = 'https://api.other.test';
const CREDENTIALS = JSON.stringify({ email: 'origins@example.com', password: PASSWORD });
const PAGE = `<!doctype html><title>page</title><link rel="icon" href="data:,"><script type="module">
  import { AuthClient } from '/client/index.js';
  import { memoryStore } from '/client/store.js';
  const store = location.search === '?store' ? memoryStore() : undefined;
  const keys = location.search.startsWith('?keys') || undefined;
  if (location.search === '?keys&late') Date.now = () => new Date().getTime() - 7_200_000;
  window.client = new AuthClient({ url: '${API}/auth', store, keys });
</script>`;

const { allowOrigins } = await importSnippet('src/cors.ts');
let app: TestApp;
let server: Server;
let context: BrowserContext;
let close: () => Promise<void>;

/** An app in production over TLS, with the CORS lines and the settings of the manual. */
async function start(origin: string, settings: SettingsInput, headers?: string): Promise<void> {
  const own = express();
  own.use(express.static(LIBRARY));
  own.get('/page', (_request, response) => void response.type('html').send(PAGE));
  own.use(allowOrigins([origin], headers));
  const limits = { loginRateLimit: '1/15m/ip' } as const;
  app = await createTestApp({
    own,
    settings: { development: false, trustedOrigins: [origin], ...limits, ...settings },
  });
  server = await serveByTls(own);
  const { port } = server.address() as AddressInfo;
  ({ context, close } = await openChromiumByTls('*.test', port, 'kept'));
}
afterEach(async () => {
  await close();
  server.closeAllConnections();
  server.close();
  await app.close();
});

async function open(origin: string, query = ''): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${origin}/page${query}`);
  await page.waitForFunction('window.client');
  return page;
}

/** The result of a call of the client, or its failure. */
const result = (page: Page, call: string) =>
  page.evaluate(`client.${call}.then((result) => result ?? client.state,
    ({ code, retryAfter }) => ({ code, retryAfter }))`);

test.each<[string, string, SettingsInput]>([
  ['a sub-domain', 'https://app.other.test', {}],
  ['another site', 'https://app.test', { refreshTokenCookieSameSite: 'none' }],
])('a page on %s can send every kind of request, with the CORS lines of the manual', async (_, origin, settings) => {
  await start(origin, settings);
  const page = await open(origin);
  const user = { email: 'origins@example.com', firstName: 'Ada' };
  expect(await result(page, `register(${CREDENTIALS})`)).toBe('signed-in');
  await page.reload();
  await page.waitForFunction('window.client');
  expect(await result(page, 'restore()')).toMatchObject({ status: 'signed-in' });
  expect(await result(page, `updateUser({ firstName: 'Ada' })`)).toMatchObject(user);
  expect(await result(page, 'getUser()')).toMatchObject(user);
  expect(await result(page, 'sessions()')).toHaveLength(1);
  const wrong = `login({ email: 'origins@example.com', password: 'not the password' })`;
  expect(await result(page, wrong)).toEqual({ code: 'incorrect_credentials' });
  expect(await result(page, wrong)).toEqual({ code: 'too_many_requests', retryAfter: expect.any(Number) });
  expect(await result(page, `deleteUser({ password: ${JSON.stringify(PASSWORD)} })`)).toEqual({ status: 'signed-out' });
  expect(await app.liveSessions()).toBe(0);
});

test('a page that keeps the refresh token itself needs the header Auth-Transport, and no trusted origin', async () => {
  const [, headers] = /allowOrigins\(\['capacitor:.*?'\], '(.*?)'\)/.exec(manual) ?? [];
  const origin = 'https://app.test';
  const settings: SettingsInput = { refreshTokenTransport: 'both', trustedOrigins: [] };
  await start(origin, settings, headers);
  const page = await open(origin, '?store');
  expect(await result(page, `register(${CREDENTIALS})`)).toBe('signed-in');
  expect(await result(page, 'refresh()')).toMatchObject({ status: 'signed-in' });
  expect(await result(page, 'getUser()')).toMatchObject({ email: 'origins@example.com' });
  expect(await context.cookies()).toEqual([]);
  await result(page, 'logout()');
  expect(await app.liveSessions()).toBe(0);
});

test.each([
  ['binds its sessions if it says so', '?keys'],
  ['binds its sessions if it says so, also if its clock is two hours late', '?keys&late'],
  ['binds no session otherwise, because CORS lines may not allow the proof', ''],
])('a page of another origin %s', async (_, query) => {
  const origin = 'https://app.other.test';
  await start(origin, {}, query ? undefined : 'Authorization,Content-Type');
  const page = await open(origin, query);
  expect(await result(page, `register(${CREDENTIALS})`)).toBe('signed-in');
  expect(await result(page, 'refresh()')).toMatchObject({ status: 'signed-in' });
  const { rows } = await app.database.pool.query('select key_thumbprint from auth_session');
  expect(rows).toEqual([{ key_thumbprint: query ? expect.any(String) : null }]);
});

test('CORS lines without the header Auth-Transport keep a page from requesting a refresh token', async () => {
  await start('https://app.test', { refreshTokenTransport: 'both' });
  const page = await open('https://app.test', '?store');
  expect(await result(page, `register(${CREDENTIALS})`)).toEqual({ code: 'network_error' });
});

test('a page of an unlisted origin can neither sign in nor read an answer', async () => {
  await start('https://app.other.test', {});
  await app.signedUp('origins@example.com');
  const page = await open('https://blog.other.test');
  expect(await result(page, `login(${CREDENTIALS})`)).toEqual({ code: 'network_error' });
  expect(await app.liveSessions()).toBe(1);
  expect(await context.cookies()).toEqual([]);
});
