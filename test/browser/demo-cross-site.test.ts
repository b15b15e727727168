import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../../src/testing/free-port.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { launchChromium } from './chromium.js';
import { type DemoProcess, startDemo } from './demo-process.js';

const PASSWORD = 'a sentence of some length';
const EMAIL = 'owner@example.com';
const SECRET_KEY = 'a secret that is only for tests of the demo in a browser';

let directory: string;
let database: TestDatabase;
let demo: DemoProcess;
let elsewhere: Server;
let browser: Browser;
let context: BrowserContext;
let owner: Page;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-cross-site-'));
  database = await createTestDatabase();
  demo = await startDemo(directory, {
    DATABASE_URL: database.url,
    DEMO_DATA: directory,
    PORT: String(await freePort()),
    JWT_ALLAUTH_SECRET_KEY: SECRET_KEY,
  });
  await fetch(`${demo.url}/auth/registration`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ email: EMAIL, password: PASSWORD }),
  });
  elsewhere = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>elsewhere</title>');
  }).listen(0);
  browser = await launchChromium('demo.test', 1);
});
afterAll(async () => {
  await browser.close();
  elsewhere.close();
  await demo.stop();
  await database.drop();
  await rm(directory, { recursive: true });
});
beforeEach(async () => {
  context = await browser.newContext();
  owner = await context.newPage();
  await owner.goto(demo.url);
  const form = owner.getByRole('form', { name: 'Sign in', exact: true });
  await form.getByLabel('E-mail').fill(EMAIL);
  await form.getByLabel('Password').fill(PASSWORD);
  await form.getByRole('button').click();
  await owner.getByText(`Signed in as ${EMAIL}`).waitFor();
});
afterEach(() => context.close());

test('the browser keeps the refresh token with the attributes of the cookie', async () => {
  const cookies = await context.cookies();
  expect(cookies).toEqual([
    {
      name: 'refresh_token',
      value: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      domain: 'localhost',
      path: '/',
      httpOnly: true,
      secure: false, // the demo is served without TLS, in development
      sameSite: 'Lax',
      expires: expect.any(Number),
    },
  ]);
  const days = ((cookies[0]?.expires ?? 0) - Date.now() / 1000) / 86_400;
  expect(days).toBeGreaterThan(13.9);
  expect(days).toBeLessThanOrEqual(14.001);
  expect(await owner.evaluate('document.cookie')).toBe('');
});

describe.each([
  ['another site', '127.0.0.1'],
  ['another origin of the same site, to which the cookie is sent', 'localhost'],
])('a page of %s', (_, host) => {
  let page: Page;
  /** The status of each answer of the demo to this page. */
  let answers: number[];
  let before: { cookie: string | undefined; rows: unknown };

  beforeEach(async () => {
    page = await context.newPage();
    await page.goto(`http://${host}:${(elsewhere.address() as AddressInfo).port}/`);
    answers = [];
    page.on('response', (response) => {
      if (response.url().startsWith(demo.url)) answers.push(response.status());
    });
    before = await now();
  });

  /** The state that an attack could have changed. */
  async function now() {
    const [cookie] = await context.cookies(demo.url);
    const { rows } = await database.pool.query('select id, jti, enabled from auth_session order by id');
    return { cookie: cookie?.value, rows };
  }

  test.each(['/auth/login', '/auth/registration', '/auth/refresh', '/auth/logout'])(
    'cannot post a form to %s',
    async (path) => {
      await page.setContent(`<form method="post" action="${demo.url}${path}" enctype="text/plain">
        <input name='{"email":"${EMAIL}","password":"${PASSWORD}","x":"' value='"}'></form>`);
      await page.evaluate('document.forms[0].submit()');
      await page.getByText('csrf_failed').waitFor();
      expect(answers).toEqual([403]);
      expect(await now()).toEqual(before);
    },
  );

  test.each(['/auth/login', '/auth/registration', '/auth/refresh', '/auth/logout', '/theft/copy'])(
    'cannot fetch %s or read an answer',
    async (path) => {
      const attempt = (init: object) =>
        page.evaluate(`fetch('${demo.url}${path}', ${JSON.stringify({ method: 'POST', credentials: 'include', ...init })})
          .then((response) => response.type, (error) => error.name)`);
      const body = JSON.stringify({ email: EMAIL, password: PASSWORD });
      expect(await attempt({ headers: { 'Content-Type': 'application/json' }, body })).toBe('TypeError');
      expect(await attempt({})).toBe('TypeError');
      expect(await attempt({ mode: 'no-cors', body })).toBe('opaque');
      expect(answers.every((status) => [401, 403, 404].includes(status))).toBe(true);
      expect(await now()).toEqual(before);
    },
  );

  test('cannot show the demo in a frame, and leaves its owner signed in', async () => {
    const refusal = page.waitForEvent('console', (message) => message.text().includes('frame-ancestors'));
    await page.setContent(`<iframe src="${demo.url}/"></iframe>`);
    await refusal;
    await owner.getByRole('button', { name: 'Refresh now' }).click();
    await owner.getByText('A new token came').waitFor();
  });
});
