import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import express from 'express';
import type { BrowserContext, Page } from 'playwright-core';
import { afterEach, describe, expect, test } from 'vitest';
import type { SettingsInput } from '../../src/index.js';
import { importSnippet } from '../support/documented-snippet.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';
import { serveByTls } from '../support/tls-server.js';
import { openChromiumByTls } from './chromium.js';

const LIBRARY = fileURLToPath(new URL('../../dist/src', import.meta.url));
const CREDENTIALS = JSON.stringify({ email: 'cookies@example.com', password: PASSWORD });
const API = 'https://api.other.test';
const SITE = 'https://app.test';
const ANOTHER_SITE = 'https://embedding.test';
const PAGE = `<!doctype html><title>page</title><link rel="icon" href="data:,"><script type="module">
  import { AuthClient } from '/client/index.js';
  window.client = new AuthClient({ url: '${API}/auth' });
</script>`;

const { allowOrigins } = await importSnippet('src/cors.ts');
let app: TestApp;
let server: Server;
let context: BrowserContext;
let close: () => Promise<void>;

/** An app in production over TLS, with the CORS lines of the manual. */
async function start(settings: SettingsInput, thirdPartyCookies: 'kept' | 'blocked'): Promise<void> {
  const trustedOrigins = [SITE, ANOTHER_SITE];
  const own = express();
  own.use(express.static(LIBRARY));
  own.get('/page', (_request, response) => void response.type('html').send(PAGE));
  own.use(allowOrigins(trustedOrigins));
  app = await createTestApp({ own, settings: { development: false, trustedOrigins, ...settings } });
  server = await serveByTls(own);
  const { port } = server.address() as AddressInfo;
  ({ context, close } = await openChromiumByTls('*.test', port, thirdPartyCookies));
  await app.signedUp('cookies@example.com');
}
afterEach(async () => {
  await close();
  server.closeAllConnections();
  server.close();
  await app.close();
});

async function open(site = SITE): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${site}/page`);
  await page.waitForFunction('window.client');
  return page;
}

/** The result of a call of the client, or the code of its failure. */
const result = (page: Page, call: string) =>
  page.evaluate(`client.${call}.then((result) => result ?? client.state, ({ code }) => ({ code }))`);

async function reload(page: Page): Promise<unknown> {
  await page.reload();
  await page.waitForFunction('window.client');
  return result(page, 'restore()');
}

/** The cookies in the browser, through its protocol: it has more about partitions than the context. */
async function cookies(page: Page) {
  const protocol = await context.newCDPSession(page);
  const { cookies: found } = await protocol.send('Storage.getCookies');
  await protocol.detach();
  return found;
}

const COOKIE = {
  name: '__Host-refresh_token',
  domain: 'api.other.test',
  path: '/',
  httpOnly: true,
  secure: true,
  sameSite: 'None',
};
const PARTITION = { topLevelSite: SITE, hasCrossSiteAncestor: true };
/** The warning is logged once for all sign-ins of an origin. */
const WARNING = {
  level: 'warn',
  message: 'the browser will not store the refresh cookie: the page belongs to another site',
  origin: SITE,
  set: 'refreshTokenCookieSameSite=none, refreshTokenCookieSecure=true',
};
const warnings = () => app.log.filter(({ level }) => level === 'warn');
const live = (before: number) => app.liveSessions().then((count) => count - before);

describe.each<[string, 'kept' | 'blocked', SettingsInput, object | undefined, string]>([
  ['SameSite=None', 'kept', {}, undefined, 'signed-in'],
  ['SameSite=None and partitioned', 'kept', { refreshTokenCookiePartitioned: true }, PARTITION, 'signed-out'],
  ['SameSite=None and partitioned', 'blocked', { refreshTokenCookiePartitioned: true }, PARTITION, 'signed-out'],
])('a refresh cookie that is %s, where third-party cookies are %s', (_, thirdParty, settings, partition, elsewhere) => {
  test('keeps a page of another site signed in across reloads, until it signs out', async () => {
    await start({ refreshTokenCookieSameSite: 'none', ...settings }, thirdParty);
    const before = await app.liveSessions();
    const page = await open();
    expect(await result(page, `login(${CREDENTIALS})`)).toMatchObject({ status: 'signed-in' });
    const [cookie, ...others] = await cookies(page);
    expect(cookie).toMatchObject(COOKIE);
    expect(cookie?.partitionKey).toEqual(partition);
    expect(others).toEqual([]);
    expect(await reload(page)).toMatchObject({ status: 'signed-in' });
    expect(await cookies(page)).toHaveLength(1);
    expect(await live(before)).toBe(1);

    expect(await result(await open(ANOTHER_SITE), 'restore()')).toMatchObject({ status: elsewhere });

    await result(page, 'logout()');
    expect(await page.evaluate('client.state')).toEqual({ status: 'signed-out' });
    expect(await cookies(page)).toEqual([]);
    expect(await reload(page)).toEqual({ status: 'signed-out' });
    expect(await live(before)).toBe(0);
    expect(app.events).toEqual([]);
    expect(warnings()).toEqual([]);
  });
});

test.each<[string, 'kept' | 'blocked', SettingsInput, object[]]>([
  ['SameSite=Lax', 'kept', {}, [WARNING]],
  ['SameSite=None and not partitioned', 'blocked', { refreshTokenCookieSameSite: 'none' }, []],
])(
  'a refresh cookie that is %s, where third-party cookies are %s, is reported as not kept at each sign-in',
  async (_, thirdPartyCookies, settings, warned) => {
    await start(settings, thirdPartyCookies);
    const page = await open();
    for (let i = 0; i < 2; i++) {
      expect(await result(page, `login(${CREDENTIALS})`)).toEqual({ code: 'cookie_not_kept' });
      expect(await page.evaluate('client.state')).toEqual({ status: 'signed-out', reason: 'cookie_not_kept' });
    }
    expect(await cookies(page)).toEqual([]);
    expect(await reload(page)).toEqual({ status: 'signed-out' });
    expect(warnings()).toEqual(warned);
  },
);
