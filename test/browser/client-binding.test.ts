import { fileURLToPath } from 'node:url';
import express from 'express';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SettingsInput } from '../../src/index.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';
import { until } from '../support/until.js';
import { launchChromium } from './chromium.js';

const LIBRARY = fileURLToPath(new URL('../../dist/src', import.meta.url));

/** A page with the client on it, and a clock that can be moved. */
const PAGE = `<!doctype html><title>tab</title><script type="module">
  import { AuthClient } from '/client/index.js';
  const now = Date.now.bind(Date);
  window.offset = Number(new URLSearchParams(location.search).get('offset'));
  Date.now = () => now() + window.offset;
  window.client = new AuthClient();
</script>`;

const ADA = 'ada@example.com';
const GRACE = 'grace@example.com';

let app: TestApp;
let browser: Browser;
let context: BrowserContext;
/** How many of the next answers to refreshes are lost. The browser repeats some of the requests by itself. */
let lost: number;
/** How far the clock of the server and of new tabs is ahead, in seconds. */
let ahead: number;
/** The sessions of the sign-ups, and the reasons of refused proofs. */
let earlier: string[];
let refused: string[];
/** Whether each direction of a refresh takes up to half a second. */
let isSlow: boolean;
/** What a proxy has put before the path of each request. */
let prefix: string;
/** The answers to the next sign-ins and refreshes wait for these promises. */
let holds: Promise<void>[];
/** The refreshes and sign-ins that have not been answered yet. */
let pending: number;
/** The requests with and without a proof, as `METHOD /path status`. */
let log: string[];

async function start(settings: SettingsInput = {}): Promise<void> {
  lost = 0;
  ahead = 0;
  isSlow = false;
  prefix = '';
  holds = [];
  pending = 0;
  log = [];
  app = await createTestApp({
    express: 5,
    settings: { development: true, accessTokenLifetime: '1m', ...settings },
    configure: (server) => {
      server.use(express.static(LIBRARY));
      server.get('/tab', (_request, response) => void response.type('html').send(PAGE));
      server.use('/auth', (request, response, next) => {
        const [path] = request.originalUrl.split('?');
        response.on('finish', () => {
          const proof = request.headers['dpop'] ? ' proof' : '';
          log.push(`${request.method} ${path} ${response.statusCode}${proof}`);
        });
        request.originalUrl = prefix + request.originalUrl;
        next();
      });
      server.post(['/auth/refresh', '/auth/login'], async (_request, response, next) => {
        pending++;
        response.on('close', () => pending--);
        if (isSlow) await anyTime();
        if (lost > 0) {
          lost--;
          response.end = () => {
            response.socket?.destroy();
            return response;
          };
        } else holdBack(response, holds.shift() ?? (isSlow ? anyTime() : Promise.resolve()));
        next();
      });
    },
  });
  await app.signedUp(ADA);
  await app.signedUp(GRACE);
  const { rows } = await app.database.pool.query('select id from auth_session');
  earlier = rows.map(({ id }: { id: string }) => id);
  refused = [];
  app.auth.events.on('session.binding-refused', ({ reason }) => refused.push(reason));
  log = [];
  browser = await launchChromium('app.test', Number(new URL(app.url).port));
  context = await browser.newContext();
}
afterEach(async () => {
  await browser.close();
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

const anyTime = () => new Promise<void>((resolve) => setTimeout(resolve, Math.random() * 500));

async function openTab(offset = ahead * 1000): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${app.url}/tab?offset=${offset}`);
  await page.waitForFunction('window.client');
  return page;
}

async function reload(page: Page, offset = ahead * 1000): Promise<void> {
  await page.goto(`${app.url}/tab?offset=${offset}`);
  await page.waitForFunction('window.client');
}

const signIn = (page: Page, email = ADA) => {
  app.clock.advance('1s'); // so that sessions have an order
  return page.evaluate(`client.login({ email: '${email}', password: '${PASSWORD}' }).then(({ status }) => status)`);
};
/** The status of a guarded route. */
const ask = (page: Page) =>
  page.evaluate(`client.fetch('/auth/user').then(({ status }) => status, (error) => error.code)`);
const refresh = (page: Page) => page.evaluate(`client.refresh().catch(({ code }) => code)`);
const become = (page: Page, wanted: string) => page.waitForFunction(`client.state.status === '${wanted}'`);

/** Lets every access token expire, for the server and for the tabs. */
async function expire(tabs: Page[], seconds = 61): Promise<void> {
  app.clock.advance(seconds);
  ahead += seconds;
  await Promise.all(tabs.map((tab) => tab.evaluate(`void (window.offset += ${seconds * 1000})`)));
}

/** The keys of the sessions that browsers have opened, oldest first. */
async function keys(): Promise<(string | null)[]> {
  const { rows } = await app.database.pool.query(
    `select key_thumbprint from auth_session where id <> all($1) order by created_at`,
    [earlier],
  );
  return rows.map((row: { key_thumbprint: string | null }) => row.key_thumbprint);
}

const KEY = expect.stringMatching(/^[\w-]{43}$/);

/** The slots in the storage of the browser that have a key. */
const slots = (page: Page) =>
  page.evaluate(`new Promise((resolve) => {
    indexedDB.open('jwt-allauth', 1).onsuccess = ({ target: { result: database } }) => {
      database.transaction('jwt-allauth').objectStore('jwt-allauth').getAll().onsuccess = ({ target }) => {
        database.close();
        resolve(target.result.flatMap((each) => ['current', 'next'].filter((slot) => each[slot])));
      };
    };
  })`);

describe('tabs with a bound session', () => {
  beforeEach(() => start());

  test('share its key in storms of reloads and expiries, and lose nothing when answers are lost for hours', async () => {
    const tabs = await Promise.all(Array.from({ length: 10 }, () => openTab()));
    const [first] = tabs as [Page];
    await signIn(first);
    for (const tab of tabs) await become(tab, 'signed-in');
    const bound = await keys();
    expect(bound).toEqual([KEY]);
    for (let round = 0; round < 4; round++) {
      isSlow = round % 2 === 1;
      await expire(tabs, 2 * 3600); // longer than every grace
      await Promise.all(
        tabs.map(async (tab) => {
          await tab.evaluate(`void client.fetch('/auth/user').catch(() => {})`); // the reload cancels it
          if (round % 2 === 1) await reload(tab);
        }),
      );
      expect(await Promise.all(tabs.map(ask))).toEqual(tabs.map(() => 200));
      await until(() => pending === 0);
      lost = Number.POSITIVE_INFINITY;
      await expire(tabs, 2 * 3600);
      expect(await refresh(first)).toBe('network_error');
      lost = 0;
      await expire(tabs, 2 * 3600);
      expect(await Promise.all(tabs.map(ask))).toEqual(tabs.map(() => 200));
    }
    expect(await keys()).toEqual(bound);
    expect(app.events.filter(({ reuse }) => reuse !== 'lost-response')).toEqual([]);
    expect(new Set(refused)).toEqual(new Set(['proof-replayed'])); // of requests that the browser has repeated by itself
  });

  test('have one key a user when two users sign in one after the other, and none after the sign-out', async () => {
    const [first, second] = (await Promise.all([openTab(), openTab()])) as [Page, Page];
    await signIn(first);
    await become(second, 'signed-in');
    await signIn(second, GRACE);
    expect(new Set(await keys()).size).toBe(2);
    expect(await slots(first)).toEqual(['current']);
    const email = `client.refresh().then(() => client.getUser()).then(({ email }) => email)`;
    expect([await first.evaluate(email), await second.evaluate(email)]).toEqual([GRACE, GRACE]);
    await first.evaluate('client.logout()');
    await become(second, 'signed-out');
    expect(await slots(second)).toEqual([]);
    await signIn(second);
    expect([await first.evaluate(email), await second.evaluate(email)]).toEqual([ADA, ADA]);
    expect(log.filter((line) => !/ 20\d proof$|logout 204$|GET /.test(line))).toEqual([]);
  });

  test('are signed out with a reason when the storage is cleared while they are open, and can sign in again', async () => {
    const [first, second] = (await Promise.all([openTab(), openTab()])) as [Page, Page];
    await signIn(first);
    await become(second, 'signed-in');
    const cleared = `new Promise((resolve) => (indexedDB.deleteDatabase('jwt-allauth').onsuccess = resolve)).then(() => 1)`;
    expect(await second.evaluate(cleared)).toBe(1);
    expect(await refresh(first)).toEqual({ status: 'signed-out', reason: 'dpop_proof_invalid' });
    await become(second, 'signed-out');
    expect(log.filter((line) => /logout/.test(line))).toEqual([]);
    expect(await app.liveSessions()).toBe(3); // with those of the sign-ups: the refusal has ended nothing
    expect(await signIn(second)).toBe('signed-in');
    expect(await app.liveSessions()).toBe(3); // the sign-in replaces the session of the cookie
    await become(first, 'signed-in');
    await expire([first, second]);
    expect([await ask(first), await ask(second)]).toEqual([200, 200]);
    expect((await keys()).at(-1)).toEqual(KEY);
  });

  test('give a thief of the cookie nothing, and notice nothing', async () => {
    const tab = await openTab();
    await signIn(tab);
    const thief = await browser.newContext();
    await thief.addCookies(await context.cookies());
    const page = await thief.newPage();
    await page.goto(`${app.url}/tab`);
    await page.waitForFunction('window.client');
    const stolen = `fetch('/auth/refresh', { method: 'POST' }).then((answer) => answer.json()).then(({ code }) => code)`;
    expect(await page.evaluate(stolen)).toBe('dpop_proof_invalid');
    expect(await page.evaluate('client.restore()')).toEqual({ status: 'signed-out', reason: 'dpop_proof_invalid' });
    await expire([tab]);
    expect(await ask(tab)).toBe(200);
    expect([refused, app.events]).toEqual([['proof-missing', 'proof-of-another-key'], []]);
  });

  test('go on after a proxy has changed the URL for a while, so that the server has refused their proofs', async () => {
    const [first, second] = (await Promise.all([openTab(), openTab()])) as [Page, Page];
    await signIn(first);
    await become(second, 'signed-in');
    const bound = [await keys(), await context.cookies()];
    prefix = '/moved';
    await expire([first, second]);
    expect(await Promise.all([refresh(first), ask(second)])).toEqual(Array(2).fill('dpop_proof_invalid'));
    expect([await first.evaluate('client.state'), await second.evaluate('client.state')]).toMatchObject(
      Array(2).fill({ status: 'signed-in' }),
    );
    await reload(second);
    expect(await second.evaluate('client.restore().catch(({ code }) => code)')).toBe('dpop_proof_invalid');
    expect(await second.evaluate('client.state')).toEqual({ status: 'unknown' });
    expect([await keys(), await context.cookies()]).toEqual(bound);
    prefix = '';
    expect([await ask(first), await ask(second)]).toEqual([200, 200]);
    expect([await keys(), await slots(first)]).toEqual([bound[0], ['current']]);
    expect(log.filter((line) => /logout/.test(line))).toEqual([]);
    expect(new Set(refused)).toEqual(new Set(['proof-for-another-url', 'proof-missing']));
  });
});

describe('a page that is closed', () => {
  let tab: Page;
  let arrive: () => void;
  beforeEach(async () => {
    await start();
    tab = await openTab();
    await signIn(tab);
    const { promise, resolve } = Promise.withResolvers<void>();
    holds = [promise];
    arrive = resolve;
  });
  const close = async () => {
    await until(() => pending === 1);
    await tab.close();
    arrive();
    await until(() => pending === 0);
  };

  test('in the middle of a refresh leaves a session that goes on, with the cookie of that refresh or without', async () => {
    await expire([tab]);
    await tab.evaluate(`void client.fetch('/auth/user').catch(() => {})`);
    await close();
    await expire([], 5 * 3600);
    const next = await openTab();
    expect(await ask(next)).toBe(200);
    expect(await keys()).toEqual([KEY]);
    expect([log.filter((line) => /refresh 4/.test(line)), refused]).toEqual([[], []]);
  });

  test('in the middle of the sign-in of another user leaves a session whose key is found', async () => {
    await tab.evaluate(`void client.login({ email: '${GRACE}', password: '${PASSWORD}' })`);
    await close();
    const next = await openTab();
    const email = 'client.restore().then(() => client.getUser()).then(({ email }) => email)';
    const found = await next.evaluate(email);
    expect([ADA, GRACE]).toContain(found);
    expect(await refresh(next)).toMatchObject({ status: 'signed-in' });
    expect(await slots(next)).toEqual(found === GRACE ? ['current'] : ['current', 'next']);
    expect(new Set(await keys()).size).toBe(2);
  });
});

test('a session that began without a proof is bound by the first refresh of a page', async () => {
  await start();
  const tab = await openTab();
  await tab.evaluate(`fetch('/auth/login', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ email: '${ADA}', password: '${PASSWORD}' }),
  }).then(({ status }) => status)`);
  expect(await keys()).toEqual([null]);
  lost = 1; // and stays so if the answer is lost
  expect(await tab.evaluate('client.restore()')).toMatchObject({ status: 'signed-in' });
  expect(await keys()).toEqual([KEY]);
  await expire([tab], 7200);
  expect(await ask(tab)).toBe(200);
  expect(app.events.filter(({ reuse }) => reuse !== 'lost-response')).toEqual([]);
});

test.each([-5, 5])('a machine whose clock is %d hours ahead signs in, and its session is bound', async (hours) => {
  await start();
  const tab = await openTab(hours * 3_600_000);
  expect(await signIn(tab)).toBe('signed-in');
  expect(await refresh(tab)).toMatchObject({ status: 'signed-in' });
  await reload(tab, hours * 3_600_000);
  expect(await ask(tab)).toBe(200);
  expect(await keys()).toEqual([KEY]);
  expect([refused, app.events]).toEqual([[], []]);
});

describe('a browser', () => {
  const broken = (method: string, body: string) => `IDB${method} = function () { ${body} };`;

  test.each([
    ['without IndexedDB', `Object.defineProperty(window, 'indexedDB', { value: undefined });`],
    [
      'that forbids IndexedDB',
      `Object.defineProperty(window, 'indexedDB', { get() { throw new DOMException('no', 'SecurityError'); } });`,
    ],
    [
      'that throws when the storage is opened',
      broken('Factory.prototype.open', `throw new DOMException('no', 'SecurityError')`),
    ],
    [
      'whose storage fails',
      broken(
        'Factory.prototype.open',
        `
      const request = {};
      setTimeout(() => request.onerror(), 10);
      return request`,
      ),
    ],
    ['whose storage does not answer', broken('Factory.prototype.open', 'return {}')],
    ['that cannot store keys', broken('ObjectStore.prototype.put', `throw new DOMException('no', 'DataCloneError')`)],
    ['without WebCrypto', `Object.defineProperty(crypto, 'subtle', { value: undefined });`],
    ['that cannot create keys', `SubtleCrypto.prototype.generateKey = () => Promise.reject(new Error('no'));`],
    ['that cannot sign', `SubtleCrypto.prototype.sign = () => Promise.reject(new Error('no'));`],
  ])('%s signs in, refreshes, reloads and signs out without a key', async (_, script) => {
    await start();
    await context.addInitScript(script);
    const tab = await openTab();
    const errors: string[] = [];
    tab.on('pageerror', ({ message }) => errors.push(message));
    expect(await tab.evaluate('client.restore()')).toEqual({ status: 'signed-out' });
    expect(await signIn(tab)).toBe('signed-in');
    expect(await refresh(tab)).toMatchObject({ status: 'signed-in' });
    await reload(tab);
    expect(await ask(tab)).toBe(200);
    expect(await keys()).toEqual([null]);
    await tab.evaluate('client.logout()');
    expect([await context.cookies(), errors, app.events]).toEqual([[], [], []]);
    expect(log.filter((line) => line.endsWith('proof'))).toEqual([]);
  });

  test('whose storage does not answer waits for it only once', async () => {
    await start();
    await context.addInitScript(broken('Factory.prototype.open', 'return {}'));
    const tab = await openTab();
    expect(await signIn(tab)).toBe('signed-in');
    const began = Date.now();
    for (let times = 0; times < 5; times++) expect(await refresh(tab)).toMatchObject({ status: 'signed-in' });
    expect(Date.now() - began).toBeLessThan(8000); // two seconds for each would be more
  });

  test('whose storage stops to answer does not end a bound session', async () => {
    await start();
    const tab = await openTab();
    await signIn(tab);
    await tab.evaluate('window.open = IDBFactory.prototype.open; IDBFactory.prototype.open = () => ({});');
    expect(await refresh(tab)).toMatchObject({ status: 'signed-in' }); // with the key that the tab has in memory
    const other = await context.newPage();
    await other.addInitScript('window.kept = IDBFactory.prototype.open; IDBFactory.prototype.open = () => ({});');
    await other.goto(`${app.url}/tab`);
    await other.waitForFunction('window.client');
    expect(await refresh(other)).toBe('network_error');
    await other.evaluate('void (IDBFactory.prototype.open = kept)');
    expect(await refresh(other)).toMatchObject({ status: 'signed-in' });
    expect(await ask(tab)).toBe(200);
  });

  test('that could not load the file that binds signs in, and does not end a bound session', async () => {
    await start();
    const tab = await openTab();
    await signIn(tab);
    await context.route('**/client/binding.js', (route) => route.abort());
    const other = await openTab();
    await expire([tab, other]);
    expect(await refresh(other)).toBe('network_error');
    await context.unroute('**/client/binding.js');
    await reload(other);
    expect(await refresh(other)).toMatchObject({ status: 'signed-in' });
    expect(await keys()).toEqual([KEY]);
    await context.route('**/client/binding.js', (route) => route.abort());
    await reload(other);
    expect(await signIn(other, GRACE)).toBe('signed-in');
    expect(await keys()).toEqual([KEY, null]);
  });
});

describe('with bound access tokens', () => {
  beforeEach(() => start({ accessTokenBinding: true }));

  test('each tab sends proofs, also with a token of another tab and after a reload', async () => {
    const [first, second] = (await Promise.all([openTab(), openTab()])) as [Page, Page];
    await signIn(first);
    await become(second, 'signed-in');
    expect([await ask(first), await ask(second)]).toEqual([200, 200]);
    await expire([first, second]);
    expect([await ask(second), await ask(first)]).toEqual([200, 200]);
    await reload(first);
    expect(await ask(first)).toBe(200);
    const change = `client.changePassword({ oldPassword: '${PASSWORD}', newPassword: 'another ${PASSWORD}' })`;
    await first.evaluate(change);
    const session = await first.evaluate('client.state.claims.session');
    await second.waitForFunction(`client.state.claims.session === '${session}'`);
    expect(await second.evaluate('client.sessions().then(({ length }) => length)')).toBe(1);
    await second.evaluate('client.logoutAll()');
    await become(first, 'signed-out');
    expect(log.filter((line) => !/ 20\d proof$/.test(line))).toEqual([]);
    expect(app.events).toEqual([]);
  });
});
