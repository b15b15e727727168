import { fileURLToPath } from 'node:url';
import express from 'express';
import type { BrowserContext, Page } from 'playwright-core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Fresh } from '../../src/index.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';
import { until } from '../support/until.js';
import { useChromium } from './shared-chromium.js';

const LIBRARY = fileURLToPath(new URL('../../dist/src', import.meta.url));

/** A page with the client on it, and a clock that can be moved. */
const PAGE = `<!doctype html><title>tab</title><script type="module">
  import { AuthClient } from '/client/index.js';
  import { stepUp } from '/client/step-up.js';
  const now = Date.now.bind(Date);
  window.offset = 0;
  Date.now = () => now() + window.offset;
  window.asked = 0;
  window.client = new AuthClient().extend(stepUp(async (required, auth) => {
    window.asked++;
    await auth.reauthenticate({ password: '${PASSWORD}' });
    return true;
  }));
</script>`;

const EMAIL = 'tabs@example.com';
const chromium = useChromium('app.test');
let app: TestApp;
let context: BrowserContext;
/** Tokens that were rotated, and tokens that arrived again. */
let refreshed: string[];
/** Whether refreshes behave as on a bad network: each direction takes up to a second. */
let isSlow: boolean;
/** The answers to the next refreshes wait for these promises. */
let holds: Promise<void>[];
/** The number of refreshes that the server has not answered yet. */
let pending: number;
/** Whether the server asks for a second factor. */
let isChallenging: boolean;

beforeEach(async () => {
  app = await createTestApp({
    express: 5,
    settings: { development: true, accessTokenLifetime: '1m' },
    configure: (server) => {
      server.use(express.static(LIBRARY));
      server.post('/auth/refresh', async (_request, response, next) => {
        pending++;
        response.on('close', () => pending--);
        if (isSlow) await anyTime();
        holdBack(response, holds.shift() ?? (isSlow ? anyTime() : Promise.resolve()));
        next();
      });
      server.post('/auth/login', (_request, response, next) => {
        if (!isChallenging) return next();
        const members = { challenge: 'c'.repeat(43), methods: ['totp'], expires_in: 300 };
        response
          .status(401)
          .json({ code: 'second_factor_required', detail: 'A second factor is required.', ...members });
      });
      server.get('/payout', (request, response, next) => app.auth.requireAuth(Fresh('10m'))(request, response, next));
      server.get('/payout', (_request, response) => void response.json({ isPaid: true }));
      server.get('/tab', (_request, response) => void response.type('html').send(PAGE));
    },
  });
  refreshed = [];
  holds = [];
  pending = 0;
  isSlow = false;
  isChallenging = false;
  app.auth.events.on('session.refreshed', ({ session }) => refreshed.push(session));
  chromium.serve(Number(new URL(app.url).port));
  context = await chromium.newContext();
});
afterEach(async () => {
  await chromium.closeContexts();
  await app.close();
});

/** Delays the sending of an answer. */
function holdBack(response: express.Response, until: Promise<void>): void {
  const end = response.end.bind(response) as (...parts: unknown[]) => unknown;
  response.end = (...parts: unknown[]) => {
    Object.defineProperty(response, 'headersSent', { value: true }); // so that nothing else answers as well
    until.then(() => end(...parts));
    return response;
  };
}

const anyTime = () => new Promise<void>((resolve) => setTimeout(resolve, Math.random() * 1000));

async function openTab(): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${app.url}/tab`);
  await page.waitForFunction('window.client');
  return page;
}

/** The status of a guarded route that is requested after a random delay of at most so many milliseconds. */
const ask = (page: Page, within = 0) =>
  page.evaluate(`new Promise((resolve) => setTimeout(resolve, Math.random() * ${within}))
    .then(() => client.fetch('/auth/user')).then(({ status }) => status, (error) => error.code)`);
const signIn = (page: Page, email = EMAIL) =>
  page.evaluate(`client.login({ email: '${email}', password: '${PASSWORD}' })`);
const status = (page: Page) => page.evaluate('client.state.status');
const become = (page: Page, wanted: string) => page.waitForFunction(`client.state.status === '${wanted}'`);

/** Lets every access token expire: for the server and, unless their clocks stand still, for the tabs. */
async function expire(tabs: Page[], { tabsKnow }: { tabsKnow: boolean }): Promise<void> {
  app.clock.advance('61s');
  if (tabsKnow) await Promise.all(tabs.map((tab) => tab.evaluate('void (window.offset += 61_000)')));
}

describe('tabs of one browser', () => {
  test.each([
    ['two', 2, 40],
    ['ten', 10, 200],
  ])('refresh once at each expiry when there are %s of them, and stay signed in', async (_, count, expiries) => {
    await app.signedUp(EMAIL);
    const tabs = await Promise.all(Array.from({ length: count }, openTab));
    await signIn(tabs[0] as Page);
    for (const tab of tabs) await become(tab, 'signed-in');
    for (let round = 1; round <= expiries; round++) {
      await expire(tabs, { tabsKnow: round % 2 === 0 });
      const answers = await Promise.all(tabs.map((tab) => ask(tab, round % 4 < 2 ? 0 : 100)));
      expect(answers, `round ${round}`).toEqual(tabs.map(() => 200));
      expect(refreshed, `round ${round}`).toHaveLength(round);
    }
    expect(app.events).toEqual([]);
    expect(await app.liveSessions()).toBe(2); // that of the sign-up, and this one
  });

  test('follow a sign-in, a sign-out and another user, in every tab', async () => {
    await app.signedUp(EMAIL);
    await app.signedUp('other@example.com');
    const tabs = await Promise.all([openTab(), openTab(), openTab()]);
    const [first, second, third] = tabs as [Page, Page, Page];
    expect(await first.evaluate('client.restore()')).toMatchObject({ status: 'signed-out' });
    await signIn(first);
    for (const tab of tabs) await become(tab, 'signed-in');
    await signIn(second, 'other@example.com');
    const { rows } = await app.database.pool.query(`select id from app_user where email = 'other@example.com'`);
    for (const tab of tabs) await tab.waitForFunction(`client.state.claims?.sub === '${rows[0].id}'`);
    await third.evaluate(`client.changePassword({ oldPassword: '${PASSWORD}', newPassword: 'another ${PASSWORD}' })`);
    expect(await third.evaluate('client.sessions().then(({ length }) => length)')).toBe(1);
    for (const tab of tabs) expect(await ask(tab)).toBe(200);
    await third.evaluate('client.logout()');
    for (const tab of tabs) await become(tab, 'signed-out');
    for (const tab of tabs) expect(await ask(tab)).toBe(401);
    expect(await context.cookies()).toEqual([]);
    expect(refreshed).toEqual([]);
  });

  test('keep their state while one of them is challenged for a second factor', async () => {
    await app.signedUp(EMAIL);
    const [first, second] = (await Promise.all([openTab(), openTab()])) as [Page, Page];
    const challenge = () =>
      first.evaluate(
        `client.login({ email: '${EMAIL}', password: '${PASSWORD}' }).catch(({ challenge }) => challenge)`,
      );
    await Promise.all([first, second].map((tab) => tab.evaluate('client.restore()')));
    isChallenging = true;
    expect(await challenge()).toBe('c'.repeat(43));
    expect([await status(first), await status(second)]).toEqual(['signed-out', 'signed-out']);
    isChallenging = false;
    await signIn(second);
    for (const tab of [first, second]) await become(tab, 'signed-in');
    isChallenging = true;
    expect(await challenge()).toBe('c'.repeat(43));
    await expire([first, second], { tabsKnow: true });
    expect(await Promise.all([ask(first), ask(second)])).toEqual([200, 200]);
    expect([await status(first), await status(second)]).toEqual(['signed-in', 'signed-in']);
    expect([refreshed.length, app.events]).toEqual([1, []]);
  });

  test('share a newer proof of the user, so that only one asks for it', async () => {
    await app.signedUp(EMAIL);
    const [first, second] = (await Promise.all([openTab(), openTab()])) as [Page, Page];
    await signIn(first);
    for (const tab of [first, second]) await become(tab, 'signed-in');
    app.clock.advance('11m');
    const pay = `client.fetch('/payout').then(({ status }) => status)`;
    expect(await first.evaluate(`Promise.all([${pay}, ${pay}, ${pay}])`)).toEqual([200, 200, 200]);
    await second.waitForFunction(`client.state.claims.auth_time > client.state.claims.session_iat`);
    expect(await second.evaluate(pay)).toBe(200);
    expect(await Promise.all([first, second].map((tab) => tab.evaluate('asked')))).toEqual([1, 0]);
    expect([refreshed.length, app.events]).toEqual([1, []]);
  });

  test('are all signed out with a reason when the session is ended elsewhere', async () => {
    const owner = await app.signedUp(EMAIL);
    const tabs = await Promise.all([openTab(), openTab()]);
    await signIn(tabs[0] as Page);
    for (const tab of tabs) await become(tab, 'signed-in');
    await owner.logoutAll();
    await expire(tabs, { tabsKnow: true });
    expect(await ask(tabs[1] as Page)).toBe(401);
    for (const tab of tabs) {
      await become(tab, 'signed-out');
      expect(await tab.evaluate('client.state.reason')).toBe('token_not_valid');
    }
  });

  test('stay signed in through many reloads, and back and forward', async () => {
    await app.signedUp(EMAIL);
    const tabs = await Promise.all(Array.from({ length: 5 }, openTab));
    await signIn(tabs[0] as Page);
    isSlow = true;
    for (let round = 0; round < 8; round++) {
      await expire(tabs, { tabsKnow: true });
      await Promise.all(
        tabs.map(async (tab) => {
          await tab.evaluate(`void client.fetch('/auth/user').catch(() => {})`); // the reload cancels it
          await tab.reload();
          await tab.waitForFunction('window.client');
          expect(await ask(tab), JSON.stringify(app.events)).toBe(200);
        }),
      );
      await until(() => pending === 0); // once the clock is a minute ahead, all cancelled requests have been answered
    }
    const [tab] = tabs as [Page];
    await tab.goto(`${app.url}/tab?next`);
    await tab.waitForFunction('window.client');
    expect(await ask(tab)).toBe(200);
    await expire(tabs, { tabsKnow: true });
    await tab.goBack();
    await tab.waitForFunction('window.client');
    expect(await ask(tab)).toBe(200);
    await tab.goForward();
    await tab.waitForFunction('window.client');
    expect(await ask(tab)).toBe(200);
    expect(app.events.filter(({ reuse }) => reuse !== 'lost-response')).toEqual([]);
    expect(await status(tab)).toBe('signed-in');
  });

  describe('of which one is reloaded while it refreshes', () => {
    const cookie = async () => (await context.cookies()).find(({ name }) => name === 'refresh_token')?.value;
    let tab: Page;
    let other: Page;
    let first: string | undefined;
    let arrive: () => void;

    beforeEach(async () => {
      await app.signedUp(EMAIL);
      [tab, other] = (await Promise.all([openTab(), openTab()])) as [Page, Page];
      await signIn(tab);
      first = await cookie();
      await expire([tab, other], { tabsKnow: true });
      const { promise: late, resolve } = Promise.withResolvers<void>();
      arrive = resolve;
      holds = [late];
      await tab.evaluate(`void client.fetch('/auth/user').catch(() => {})`);
      await until(() => refreshed.length === 1);
      await tab.reload();
      await tab.waitForFunction('window.client');
    });

    test('wait until the cookie of that refresh has arrived, so that it cannot replace a later cookie', async () => {
      const asked = Promise.all([ask(tab), ask(other)]);
      await other.waitForFunction('navigator.locks.query().then(({ held, pending }) => held[0] && pending[0])');
      expect(pending).toBe(1);
      expect(await cookie()).toBe(first);
      arrive();
      expect(await asked).toEqual([200, 200]);
      expect(refreshed).toHaveLength(2);
      expect(await other.evaluate('localStorage.length')).toBe(0);
      await expire([tab, other], { tabsKnow: true });
      expect(await Promise.all([ask(tab), ask(other)])).toEqual([200, 200]);
      expect(app.events).toEqual([]);
    });

    test('sign in as another user only after the cookie of that refresh has arrived', async () => {
      await app.signedUp('other@example.com');
      const signed = signIn(tab, 'other@example.com');
      await until(async () => (await tab.evaluate('navigator.locks.query().then(({ held }) => held.length)')) === 1);
      expect(await cookie()).toBe(first);
      arrive();
      await signed;
      const email = `client.refresh().then(() => client.getUser()).then(({ email }) => email)`;
      expect(await tab.evaluate(email)).toBe('other@example.com');
      expect(await other.evaluate(email)).toBe('other@example.com');
      expect(app.events).toEqual([]);
    });

    test('get the same successor if the answer to that refresh does not arrive', async () => {
      expect(await Promise.all([ask(tab), ask(other)])).toEqual([200, 200]);
      const second = await cookie();
      expect(second).not.toBe(first);
      arrive();
      await until(() => pending === 0);
      expect(await cookie()).toBe(second);
      await expire([tab, other], { tabsKnow: true });
      expect(await Promise.all([ask(tab), ask(other)])).toEqual([200, 200]);
      expect(app.events).toMatchObject([{ reuse: 'lost-response' }]);
    });
  });

  test('retry a refresh without an answer, and do not refresh again until the first request is answered', async () => {
    await app.signedUp(EMAIL);
    const tab = await openTab();
    await signIn(tab);
    const cookie = async () => (await context.cookies()).find(({ name }) => name === 'refresh_token')?.value;
    await expire([tab], { tabsKnow: true });
    const { promise: late, resolve: arrive } = Promise.withResolvers<void>();
    holds = [late];
    expect(await ask(tab)).toBe(200); // after 5 seconds
    expect(app.events).toMatchObject([{ reuse: 'lost-response' }]);
    const second = await cookie();
    const other = await openTab();
    await other.evaluate('void (window.offset += 61_000)'); // the tabs share the clock of one machine
    expect(await ask(other)).toBe(200);
    const next = other.evaluate('client.refresh()');
    expect(await ask(other)).toBe(200);
    expect([refreshed.length, pending, await cookie()]).toEqual([1, 1, second]);
    arrive();
    await next;
    const third = await cookie();
    expect(third).not.toBe(second);
    expect([refreshed.length, pending]).toEqual([2, 0]);
    await expire([tab, other], { tabsKnow: true });
    expect([await ask(tab), await ask(other)]).toEqual([200, 200]);
    expect(app.events).toHaveLength(1);
  });

  test('do not wait for each other when the tab with the newest token refreshes again', async () => {
    await app.signedUp(EMAIL);
    const [first, second] = (await Promise.all([openTab(), openTab()])) as [Page, Page];
    await signIn(first);
    await become(second, 'signed-in');
    const started = performance.now();
    for (const tab of [first, second, first, second, second]) await tab.evaluate('client.refresh()');
    expect(refreshed).toHaveLength(5);
    expect(performance.now() - started).toBeLessThan(4000); // a wait for a lock that no other tab releases takes 5 s
    const states = await Promise.all([first, second].map((tab) => tab.evaluate('client.state.claims.jti')));
    expect(states[0]).toBe(states[1]);
  });

  test('do not exchange tokens with a page of another origin', async () => {
    await app.signedUp(EMAIL);
    const tab = await openTab();
    await signIn(tab);
    const elsewhere = await context.newPage();
    await elsewhere.goto('http://app.test/tab'); // the same server under another name
    await elsewhere.waitForFunction('window.client');
    await tab.evaluate('client.refresh()');
    expect(await elsewhere.evaluate('client.state')).toEqual({ status: 'unknown' });
    expect(await elsewhere.evaluate('client.restore()')).toMatchObject({ status: 'signed-out' });
    const foreign =
      await elsewhere.evaluate(`fetch('${app.url}/auth/refresh', { method: 'POST', credentials: 'include' })
      .then(({ status }) => status, () => 'refused')`);
    expect(foreign).toBe('refused');
    expect(await ask(tab)).toBe(200);
    expect(await tab.evaluate(`client.fetch('http://app.test/auth/user').catch((error) => error.message)`)).toBe(
      'Not in `origins`: http://app.test',
    );
  });
});
