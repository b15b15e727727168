import { fileURLToPath } from 'node:url';
import express from 'express';
import type { BrowserContext, Page } from 'playwright-core';
import { Fresh, type SettingsInput } from '../../src/index.js';
import type { MailApp } from '../support/mail-app.js';
import { createPasskeysApp } from '../support/passkeys-app.js';
import type { SharedChromium } from './shared-chromium.js';

const LIBRARY = fileURLToPath(new URL('../../dist/src', import.meta.url));

/** The host of the app. Without TLS, browsers have passkeys only on `localhost` and below it. */
export const HOST = 'app.localhost';
const ORIGIN = `http://${HOST}`;

/** A page with the client. With `?store`, refresh tokens travel in bodies. */
const PAGE = `<!doctype html><title>tab</title><link rel="icon" href="data:,">
<input name="email" autocomplete="username webauthn">
<script type="module">
  import { AuthClient } from '/client/index.js';
  import { passkeyMethods } from '/client/passkeys.js';
  import { stepUp } from '/client/step-up.js';
  import { memoryStore } from '/client/store.js';
  import { mfaMethods } from '/features/totp/totp.client.js';
  window.asked = [];
  const store = location.search === '?store' ? memoryStore() : undefined;
  window.client = new AuthClient({ store }).extend(passkeyMethods).extend(mfaMethods).extend(
    stepUp(async ({ code }, auth) => {
      asked.push(code);
      await auth.reauthenticate({ credential: await client.passkeys.prove() });
      return true;
    }),
  );
</script>`;

/** Records what the page asks of the browser, and lets a test change it. */
const RECORDER = `window.requests = [];
for (const method of navigator.credentials ? ['create', 'get'] : []) {
  const native = navigator.credentials[method].bind(navigator.credentials);
  navigator.credentials[method] = (request) => {
    const { allowCredentials = [], excludeCredentials = [] } = request.publicKey;
    requests.push([method, request.mediation ?? 'modal', allowCredentials.length + excludeCredentials.length]);
    window.tamper?.(request.publicKey);
    return native(request);
  };
}`;

/** Runs first in a page, which then is as in a browser of WebAuthn level 2: it converts no JSON. */
export const OLD_BROWSER = `if (window.PublicKeyCredential) {
  delete PublicKeyCredential.parseCreationOptionsFromJSON;
  delete PublicKeyCredential.parseRequestOptionsFromJSON;
  delete PublicKeyCredential.prototype.toJSON;
}`;

/** An app with passkeys, and a browser with pages of it. */
export interface PasskeyPages {
  readonly app: MailApp;
  readonly context: BrowserContext;
  /** The requests to the endpoints of passkeys, with the status of each answer. */
  readonly sent: string[];
  /** Opens a page with the client. */
  openTab(query?: string): Promise<Page>;
  close(): Promise<void>;
}

/** Starts an app, for a Chromium with its host. */
export async function startPasskeyPages(chromium: SharedChromium, settings: SettingsInput = {}): Promise<PasskeyPages> {
  const app: MailApp = await createPasskeysApp(
    { publicUrl: ORIGIN, development: true, accessTokenLifetime: '1h', ...settings },
    {
      express: 5,
      configure: (server) => {
        server.use(express.static(LIBRARY));
        server.get('/tab', (_request, response) => void response.type('html').send(PAGE));
        server.get('/payout', (request, response, next) => app.auth.requireAuth(Fresh('10m'))(request, response, next));
        server.get('/payout', (_request, response) => void response.json({ isPaid: true }));
      },
    },
  );
  chromium.serve(Number(new URL(app.url).port));
  const context = await chromium.newContext();
  await context.addInitScript(RECORDER);
  const sent: string[] = [];
  context.on('response', (response) => {
    const { pathname } = new URL(response.url());
    if (pathname.startsWith('/auth/passkeys')) {
      sent.push(`${response.request().method()} ${pathname.slice('/auth'.length)} ${response.status()}`);
    }
  });
  const openTab = async (query = '') => {
    const page = await context.newPage();
    await openClient(page, query);
    return page;
  };
  const close = async () => {
    await chromium.closeContexts();
    await app.close();
  };
  return { app, context, sent, openTab, close };
}

/** Opens the page with the client in a tab. */
export async function openClient(page: Page, query = ''): Promise<void> {
  await page.goto(`${ORIGIN}/tab${query}`);
  await page.waitForFunction('window.client');
}

/** The result of a call of the client, `done` if it has none, or the code of its failure. */
export const result = (page: Page, call: string): Promise<unknown> =>
  page.evaluate(`Promise.resolve(client.${call}).then((result) => result ?? 'done',
    ({ code, methods, challenge }) => (challenge ? { code, methods, challenge } : code))`);

/** The claims of the access token. */
export const claims = (page: Page): Promise<{ sub: string; session: string; amr: string[]; auth_time: number }> =>
  page.evaluate('client.state.claims');

export const status = (page: Page) => page.evaluate('client.state.status');

/** What the page has asked of the browser since the last call: method, mediation, and how many passkeys it named. */
export const requests = (page: Page) => page.evaluate('requests.splice(0)');

/** The passkeys of the user. */
export const passkeys = (
  page: Page,
): Promise<{ id: string; name: string; lastUsedAt: string | null; isBackedUp: boolean; isDisabled: boolean }[]> =>
  page.evaluate('client.passkeys.list()');
