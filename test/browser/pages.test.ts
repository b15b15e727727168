import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type BrowserContext, type BrowserContextOptions, errors, type Page } from 'playwright-core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createMailApp, type MailApp, PUBLIC_URL } from '../support/mail-app.js';
import { PASSWORD } from '../support/test-client.js';
import { useChromium } from './shared-chromium.js';
import { LOOK, WELL, watch } from './watched-page.js';

const NEW = 'a new sentence of some length';
const HOST = new URL(PUBLIC_URL).host;
const PHONE = { width: 320, height: 640 };

const chromium = useChromium(HOST);
let app: MailApp;
let context: BrowserContext;
let page: Page;
/** What a page did that it must not do. */
let faults: string[];

beforeEach(async () => {
  app = await createMailApp({
    invitations: true,
    emailVerification: 'optional',
    passwordResetRequestUrl: 'https://app.example.com/',
  });
  chromium.serve(Number(new URL(app.url).port));
  await visit({ javaScriptEnabled: false });
});
afterEach(async () => {
  await chromium.closeContexts();
  await app.close();
  expect(faults).toEqual([]);
});

/** Opens a browser context with its own profile. */
async function visit(options: BrowserContextOptions): Promise<void> {
  await context?.close().catch(() => {});
  context = await chromium.newContext(options);
  page = await context.newPage();
  faults = watch(page);
}

/** The link in the latest mail to an address, unchanged. */
async function linkTo(address: string, count = 1): Promise<string> {
  return (await app.linkTo(address, count)).replace(app.url, PUBLIC_URL);
}

/** The mailed link for a user who has forgotten the password. */
async function resetLink(): Promise<string> {
  await app.signedUp('ada@example.com');
  await app.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
  return linkTo('ada@example.com', 2);
}

async function invitationLink(): Promise<string> {
  const staff = await app.signedUp('staff@example.com');
  await app.database.pool.query('update app_user set role = 1000');
  await staff.send('POST', '/auth/registration/user-register', { email: 'ada@example.com', role: 0 }, staff.bearer);
  return linkTo('ada@example.com');
}

const heading = () => page.getByRole('heading', { level: 1 }).innerText();

describe.each([
  ['a forgotten password', resetLink, 'Set a new password', '/auth/password/reset/form'],
  ['an invitation', invitationLink, 'Choose a password', '/auth/registration/password-form'],
] as const)('the form of %s', (_, getLink, title, path) => {
  test('sets the password with the keyboard alone, without scripts, and signs in', async () => {
    await page.goto(await getLink());
    expect([page.url(), await page.title(), await heading()]).toEqual([PUBLIC_URL + path, title, title]);
    expect(await page.content()).toContain('ada@example.com');
    await page.keyboard.type(NEW);
    await page.keyboard.press('Enter');
    await page.getByText('Your password is set').waitFor();
    expect(await heading()).toBe('Your password is set');
    const cookies = await context.cookies(PUBLIC_URL);
    expect(cookies).toEqual([
      expect.objectContaining({ name: 'refresh_token', httpOnly: true, sameSite: 'Lax', path: '/', domain: HOST }),
    ]);
    expect((await app.client().login('ada@example.com', NEW)).status).toBe(200);
    await page.goto(PUBLIC_URL + path); // going back in the history finds nothing
    expect(await heading()).toBe('This link cannot be used');
  });

  test('is shown again with the fault, next to the field and for a screen reader', async () => {
    await page.goto(await getLink());
    await page.getByLabel('New password').fill('password');
    await page.getByRole('button', { name: 'Set password' }).click();
    await page.getByRole('alert').waitFor();
    const field = page.getByLabel('New password');
    expect(await page.getByRole('alert').innerText()).toMatch(/^It is .*common/i);
    expect(await field.getAttribute('aria-invalid')).toBe('true');
    expect((await page.locator('main').ariaSnapshot()).split('\n')).toEqual([
      '- main:',
      `  - heading "${title}" [level=1]`,
      '  - paragraph:',
      '    - text: For',
      '    - strong: ada@example.com',
      '    - text: at accounts.test.',
      '  - text: New password',
      '  - textbox "New password" [invalid]',
      '  - paragraph: At least 8 characters. A sentence works well.',
      '  - alert: It is one of the most common passwords; use several words that have nothing to do with each other.',
      '  - button "Set password"',
    ]);
    await field.fill(NEW);
    await page.getByRole('button', { name: 'Set password' }).click();
    await page.getByText('Your password is set').waitFor();
  });

  test('makes the browser ask for a password that is long enough', async () => {
    const posts: string[] = [];
    page.on('request', (request) => void posts.push(request.method()));
    await page.goto(await getLink());
    await page.getByLabel('New password').fill('short');
    await page.getByRole('button', { name: 'Set password' }).click();
    expect(await page.locator('input:invalid').count()).toBe(1);
    expect(posts).not.toContain('POST');
  });
});

test('a password that a page of another site sends is refused and not set', async () => {
  await page.goto(await resetLink());
  const evil = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html');
    const action = `${PUBLIC_URL}/auth/password/reset/form`;
    response.end(`<form method="post" action="${action}"><input name="newPassword" value="${NEW}"><button>Go</button></form>
      <iframe src="${action}"></iframe>`);
  });
  await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve));
  await page.goto(`http://127.0.0.1:${(evil.address() as AddressInfo).port}`);
  expect(page.frames()[1]?.url()).not.toContain(PUBLIC_URL); // no page can frame it
  await page.getByRole('button', { name: 'Go' }).click();
  await page.waitForURL(`${PUBLIC_URL}/**`);
  expect(await heading()).toBe('This did not work');
  expect((await app.client().login('ada@example.com', PASSWORD)).status).toBe(200);
  await new Promise((resolve) => evil.close(resolve));
  // Chromium shows a page of its own in the refused frame, whose script may fail because this visitor allows none.
  const expected = /^a request to http:\/\/127|frame|TrustedTypePolicy/;
  expect(faults.filter((fault) => expected.test(fault)).length).toBeGreaterThan(0);
  faults = faults.filter((fault) => !expected.test(fault));
});

test('a link that confirms an address shows the same page each time, and uses up no key', async () => {
  await app.signedUp('ada@example.com');
  const link = await linkTo('ada@example.com');
  for (let time = 0; time < 2; time++) {
    await page.goto(link);
    expect(await heading()).toBe('Your address is confirmed');
  }
  const { rows } = await app.database.pool.query('select email_verified from app_user');
  expect(rows).toEqual([{ email_verified: true }]);
});

describe.each(['light', 'dark'] as const)('in the %s scheme', (colorScheme) => {
  test.each([PHONE, { width: 1280, height: 800 }])(
    'every page fits a screen of $width pixels and is readable',
    async (viewport) => {
      await visit({ viewport, colorScheme });
      const reset = await resetLink();
      const verification = await linkTo('ada@example.com');
      const pages = [
        async () => void (await page.goto(reset)),
        async () => {
          await page.getByLabel('New password').fill('password');
          await page.getByRole('button').click();
          await page.waitForSelector('[role=alert]');
        },
        async () => {
          await page.getByLabel('New password').fill(NEW);
          await page.getByRole('button').click();
          await page.waitForSelector('text=Your password is set');
        },
        async () => void (await page.goto(verification)),
        async () => void (await page.goto(`${PUBLIC_URL}/auth/registration/verification/none`)),
      ];
      for (const open of pages) {
        await open();
        const seen = await page.evaluate(LOOK);
        expect(seen, await page.title()).toEqual(WELL(colorScheme));
      }
    },
  );
});

test('a page does not run an injected script', async () => {
  await visit({});
  await page.route('**/verification/none', async (route) => {
    const { status, headers, html } = await app.open(route.request().url());
    const body = html.replace('</main>', '<script>document.title = "run"</script></main>');
    await route.fulfill({ status, headers: Object.fromEntries(headers), body });
  });
  await page.goto(`${PUBLIC_URL}/auth/registration/verification/none`);
  expect(await page.title()).toBe('This link cannot be used');
  expect(faults).toEqual([expect.stringContaining('Content Security Policy')]);
  faults = [];
});

test('the back button leads to no page with a key after a link has redirected', async () => {
  await page.goto('about:blank');
  await page.goto(await resetLink());
  await page.getByLabel('New password').fill(NEW);
  await page.getByRole('button').click();
  await page.waitForSelector('text=Your password is set');
  for (let steps = 0; steps < 3; steps++) {
    const isBack = await page.goBack({ timeout: 5000 }).catch((error) => {
      if (error instanceof errors.TimeoutError) return null;
      throw error;
    });
    expect(page.url()).not.toMatch(/[\w-]{43}/);
    if (!isBack) break;
  }
});
