import { mkdir, writeFile } from 'node:fs/promises';
import { type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createMailApp, type MailApp, PUBLIC_URL } from '../support/mail-app.js';
import { PASSWORD } from '../support/test-client.js';
import { useChromium } from './shared-chromium.js';
import { LOOK, WELL, watch } from './watched-page.js';

const OWN = 'owner@example.com';
const THIEF = `${'thief'.repeat(12)}@example.com`; // too long for a narrow screen
const NEW = 'a new sentence of some length';
const HOST = new URL(PUBLIC_URL).host;
/** A folder for screenshots. Undefined: none are taken. */
const PICTURES = process.env['PICTURES'];

const chromium = useChromium(HOST);
let app: MailApp;
let context: BrowserContext;
let page: Page;
let faults: string[];

beforeEach(async () => {
  app = await createMailApp({ emailVerification: 'mandatory', collectUserAgent: true });
  chromium.serve(Number(new URL(app.url).port));
  await visit({ javaScriptEnabled: false });
});
afterEach(async () => {
  await chromium.closeContexts();
  await app.close();
  expect(faults).toEqual([]);
});

async function visit(options: BrowserContextOptions): Promise<void> {
  await context?.close().catch(() => {});
  context = await chromium.newContext(options);
  page = await context.newPage();
  faults = watch(page);
}

/** The link in the mail to the old address of an account that a stranger has moved to their own address. */
async function undoLink(): Promise<string> {
  const thief = app.client();
  await thief.send('POST', '/auth/registration', { email: OWN, password: PASSWORD }, { 'user-agent': 'Firefox/128.0' });
  await app.open(await app.linkTo(OWN));
  await thief.login(OWN);
  await thief.send('POST', '/auth/email/change', { email: THIEF, password: PASSWORD }, thief.bearer);
  await app.open(await app.linkTo(THIEF));
  const mail = (await app.mailsTo(OWN, 3)).find(({ subject }) => subject === 'Your e-mail address was changed');
  return /http:\S+/.exec(mail?.text ?? '')?.[0] ?? '';
}

const heading = () => page.getByRole('heading', { level: 1 }).innerText();
const focused = () => page.evaluate('document.activeElement.innerText');
const picture = async (name: string) => {
  if (!PICTURES) return;
  await mkdir(PICTURES, { recursive: true });
  await writeFile(`${PICTURES}/${name}.png`, await page.screenshot({ fullPage: true }));
};

test('an owner takes back an address with the keyboard alone, without scripts, and no page contains a key', async () => {
  await page.goto('about:blank');
  await page.goto(await undoLink());
  expect([page.url(), await heading()]).toEqual([
    `${PUBLIC_URL}/auth/email/undo-form`,
    'Undo the change of your address?',
  ]);
  expect((await page.locator('main').ariaSnapshot()).split('\n')).toEqual([
    '- main:',
    '  - heading "Undo the change of your address?" [level=1]',
    '  - paragraph:',
    '    - text: Your account at accounts.test gets',
    `    - strong: ${OWN}`,
    '    - text: back. All devices are signed out, and you choose a new password.',
    '  - button "Undo the change"',
  ]);
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('Undo the change');
  await page.keyboard.press('Enter');
  await page.getByText('Your address is back').waitFor();
  expect(await page.content()).not.toMatch(/[\w-]{43}/);
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('Choose a new password');
  await page.keyboard.press('Enter');
  await page.getByLabel('New password').waitFor();
  expect([page.url(), await heading()]).toEqual([`${PUBLIC_URL}/auth/password/reset/form`, 'Set a new password']);
  await page.keyboard.type(NEW);
  await page.keyboard.press('Enter');
  await page.getByText('Your password is set').waitFor();
  expect((await app.client().login(OWN, NEW)).status).toBe(200);
  expect((await app.client().login(THIEF)).status).toBe(401);
  const names = (await context.cookies(PUBLIC_URL)).map(({ name }) => name);
  expect(names).toEqual(['refresh_token']);

  const history = await (await context.newCDPSession(page)).send('Page.getNavigationHistory');
  expect(history.entries.map(({ url }) => url)).toEqual([
    'about:blank',
    `${PUBLIC_URL}/auth/email/undo-form`,
    `${PUBLIC_URL}/auth/email/undo-form`,
    `${PUBLIC_URL}/auth/password/reset/form`,
    `${PUBLIC_URL}/auth/password/reset/form`,
  ]);
});

test('a used link, and the form of a used link, lead to the page for a failed link', async () => {
  const link = await undoLink();
  await page.goto(link);
  await page.getByRole('button').click();
  await page.getByText('Your address is back').waitFor();
  for (const url of [link, `${PUBLIC_URL}/auth/email/undo-form`]) {
    await page.goto(url);
    expect(await heading()).toBe('This link cannot be used');
  }
});

describe.each(['light', 'dark'] as const)('in the %s scheme', (colorScheme) => {
  test.each([
    { width: 320, height: 640 },
    { width: 1280, height: 800 },
  ])('the pages and the mails fit a screen of $width pixels', async (viewport) => {
    await visit({ viewport, colorScheme });
    const link = await undoLink();
    await app.client().send('POST', '/auth/registration', { email: 'two@example.com', password: PASSWORD });
    await app.client().send('POST', '/auth/registration', { email: 'two@example.com', password: NEW });
    await app.client().send('POST', '/auth/registration/verification/resend', { email: 'two@example.com' });
    await page.goto(link);
    expect(await page.evaluate(LOOK)).toEqual(WELL(colorScheme));
    await picture(`ask-${colorScheme}-${viewport.width}`);
    await page.getByRole('button').click();
    await page.waitForSelector('text=Your address is back');
    expect(await page.evaluate(LOOK)).toEqual(WELL(colorScheme));
    await picture(`undone-${colorScheme}-${viewport.width}`);
    const mails = [...(await app.mailsTo(OWN, 3)), ...(await app.mailsTo('two@example.com', 3))];
    for (const [index, { html, subject }] of mails.entries()) {
      await page.goto('about:blank'); // the policy of a page would also apply to the mail
      await page.setContent(String(html));
      expect(await page.evaluate(LOOK), subject).toMatchObject({ ...WELL('light'), small: expect.anything() });
      await picture(`mail-${index}-${colorScheme}-${viewport.width}`);
    }
  });
});
