import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { totpCode } from '../../src/features/totp/totp-testing.js';
import { LOOK, WELL } from './demo-look.js';
import type { DemoProcess } from './demo-process.js';
import { useDemos } from './demos.js';

const PASSWORD = 'a sentence that is long enough';
const STEP_SECONDS = 30;
const ON = /^A sign-in asks for a code of your authenticator app; (\d+) recovery codes? left\.$/;
const OFF = 'A sign-in asks for no second factor.';

const { demoWith, newContext, watch, faults } = useDemos(PASSWORD);
let demo: DemoProcess;
beforeAll(async () => {
  demo = await demoWith();
});

async function openIn(context: BrowserContext, { url } = demo): Promise<Page> {
  const page = await context.newPage();
  watch(page);
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== new URL(url).origin && protocol !== 'data:') faults.push(`a request to ${request.url()}`);
  });
  await page.goto(url);
  return page;
}

/** A page in a new browser context, with a clock that can be advanced. */
async function visit(from = demo, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await newContext({ permissions: ['clipboard-read', 'clipboard-write'], ...options });
  await context.clock.install({ time: Date.now() + ahead });
  return openIn(context, from);
}

/** By how many milliseconds the demo's clock is ahead. */
let ahead = 0;

/** Moves the clock of the server and of the browser. */
async function advance(page: Page, seconds: number): Promise<void> {
  ahead += seconds * 1000;
  await demo.advance(seconds);
  await page.context().clock.fastForward(seconds * 1000);
}

/** The code that an authenticator app shows now. */
const codeNow = (secret: string) => totpCode(secret, Date.now() + ahead);

/** The next code, when the app shows it: each code is good once. */
async function nextCode(page: Page, secret: string): Promise<string> {
  await advance(page, STEP_SECONDS);
  return codeNow(secret);
}

let accounts = 0;
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const outcome = (page: Page, panel: string, text: string | RegExp) =>
  page.locator(`#${panel}-outcome`).filter({ hasText: text }).waitFor();
const factor = (page: Page, text: string | RegExp) =>
  page.locator('#factor-status').filter({ hasText: text }).waitFor();
const proved = async (page: Page, amr: string) => {
  await page.locator('#proof-amr').getByText(amr, { exact: true }).waitFor();
  expect(await page.locator('#claims code').allInnerTexts()).toContain(JSON.stringify(amr.split(', ')));
};

async function enter(page: Page, name: 'Sign in' | 'Sign up', email: string, password = PASSWORD): Promise<void> {
  const form = page.getByRole('form', { name, exact: true });
  await form.getByLabel('E-mail').fill(email);
  await form.getByLabel('Password').fill(password);
  await form.getByRole('button').click();
}

/** Enters a proof in the second step, or in the dialog. */
async function prove(page: Page, form: 'Second step' | 'Confirm that it is you', label: string, proof: string) {
  const place = page.getByRole('form', { name: form });
  await place.getByLabel(label).fill(proof);
  await place.locator('[type=submit]').click();
}
const APP = 'Code of your authenticator app';
const DIALOG = 'Confirm that it is you';

/** A new user on the page of a new browser context. */
async function member(from = demo, options: BrowserContextOptions = {}) {
  const page = await visit(from, options);
  const email = `grace${++accounts}@example.com`;
  await enter(page, 'Sign up', email);
  await page.getByText(`Signed in as ${email}`).waitFor();
  return { page, email };
}

/** Reads the secret that the page shows, and confirms it. */
async function confirmSecret(page: Page): Promise<{ secret: string; codes: string[] }> {
  const secret = (await page.locator('.secret').innerText()).replaceAll(' ', '');
  await page.getByLabel('The code that the app shows').fill(codeNow(secret));
  await button(page, 'Confirm the app').click();
  await page.locator('#recovery-code-list li').last().waitFor();
  return { secret, codes: await page.locator('#recovery-code-list li').allInnerTexts() };
}

/** A user who has just used the code of a step that has just begun, so that the test is over before the step is. */
async function memberWithFactor() {
  const { page, email } = await member();
  await advance(page, STEP_SECONDS - Math.floor(((Date.now() + ahead) / 1000) % STEP_SECONDS));
  await button(page, 'Set up an authenticator app').click();
  return { page, email, ...(await confirmSecret(page)) };
}

/** The cookies of the browser: the refresh token, or nothing. */
async function cookies(page: Page) {
  const all = await page.context().cookies();
  return all.map(({ name, httpOnly, sameSite }) => ({ name, httpOnly, sameSite }));
}
const REFRESH_COOKIE = { name: 'refresh_token', httpOnly: true, sameSite: 'Lax' };

test('a visitor sets up a second factor by typing, and gets ten recovery codes once', async () => {
  const { page } = await member();
  await factor(page, OFF);
  await proved(page, 'pwd');
  await button(page, 'Send money').click();
  await outcome(page, 'proof', 'set up an authenticator app first. second_factor_required');
  expect(await page.locator('#step-up').isVisible()).toBe(false);

  await button(page, 'Set up an authenticator app').click();
  const code = page.getByLabel('The code that the app shows');
  const secret = (await page.locator('.secret').innerText()).replaceAll(' ', '');
  const uri = await page.getByRole('link', { name: 'On a phone' }).getAttribute('href');
  expect(uri).toContain(`otpauth://totp/jwt-allauth%20demo:`);
  expect(uri).toContain(`secret=${secret}`);
  await page.getByRole('img', { name: 'QR code with the secret' }).waitFor();
  await expect.poll(() => page.evaluate(`document.querySelector('.qr').naturalWidth`)).toBeGreaterThan(0);

  await code.fill('12345');
  await button(page, 'Confirm the app').click();
  await page.getByText('The code is not valid, or it was used before. code_not_valid').waitFor();
  expect(await code.getAttribute('aria-invalid')).toBe('true');
  await button(page, 'Show the code that an app shows now').click();
  await page
    .locator('output')
    .filter({ hasText: /^\d{3} \d{3} \(for \d+ s\)$/ })
    .waitFor();
  const shown = (await page.locator('output:visible').innerText()).slice(0, 7).replace(' ', '');
  expect([codeNow(secret), totpCode(secret, Date.now() + ahead - 5000)]).toContain(shown);

  const { codes } = await confirmSecret(page);
  expect(new Set(codes.filter((each) => /^[0-9a-z]{5}-[0-9a-z]{5}$/.test(each))).size).toBe(10);
  await factor(page, 'authenticator app; 10 recovery codes left.');
  await proved(page, 'pwd, otp, mfa');
  expect(await page.locator('.secret, .qr').count()).toBe(0);
  await button(page, 'Copy the codes').click();
  await outcome(page, 'recovery-codes', 'in the clipboard');
  expect(await page.evaluate('navigator.clipboard.readText()')).toBe(codes.join('\n'));
  await button(page, 'I have saved them').click();
  expect(await page.content()).not.toContain(codes[0]);
  await button(page, 'Send money').click();
  await outcome(page, 'proof', 'The server has sent the money.');

  await button(page, 'Get new recovery codes').click();
  await outcome(page, 'factor', 'The old recovery codes do not work any more.');
  const renewed = await page.locator('#recovery-code-list li').allInnerTexts();
  expect(renewed.filter((each) => !codes.includes(each))).toHaveLength(10);
});

test('a sign-in with a second factor needs a code or a recovery code; one answer signs in every tab', async () => {
  const { page, email, secret, codes } = await memberWithFactor();
  await button(page, 'Sign out').click();
  await enter(page, 'Sign in', email);
  await page.getByText('The first step is done. You are not signed in yet. Finish within 5 minutes.').waitFor();
  expect(await cookies(page)).toEqual([]);
  const other = await openIn(page.context());
  await other.getByRole('form', { name: 'Sign in', exact: true }).waitFor();
  expect(await other.locator('#challenge').isVisible()).toBe(false);
  await page.bringToFront(); // Chromium runs hidden tabs slowly

  await button(page, 'Show the code that an app shows now').click();
  await page
    .locator('output')
    .filter({ hasText: /used; the next one comes in \d+ s/ })
    .waitFor();
  await prove(page, 'Second step', APP, codeNow(secret)); // it was used for the set-up
  await page.getByText('The code is not valid, or it was used before. code_not_valid').waitFor();
  const right = await nextCode(page, secret);
  await prove(page, 'Second step', APP, right === '000000' ? '000001' : '000000');
  await page.getByText('code_not_valid').waitFor();
  expect(await cookies(page)).toEqual([]);
  await prove(page, 'Second step', APP, right);
  await outcome(page, 'account', 'You are signed in with two factors.');
  for (const tab of [page, other]) {
    await tab.getByText(`Signed in as ${email}`).waitFor();
    await proved(tab, 'pwd, otp, mfa');
  }
  expect(await cookies(page)).toEqual([REFRESH_COOKIE]);

  await other.bringToFront();
  await button(other, 'Sign out').click();
  await page.bringToFront();
  await enter(page, 'Sign in', email);
  await button(page, 'Use a recovery code').click();
  await prove(page, 'Second step', 'Recovery code', codes[3]?.toUpperCase() ?? '');
  await outcome(page, 'account', 'You are signed in with two factors. 9 recovery codes are left.');
  await factor(page, '9 recovery codes left.');
  await proved(page, 'pwd, recovery, mfa');
  await page.getByText('You gave a password and a recovery code.').waitFor();

  await button(page, 'Sign out').click();
  await enter(page, 'Sign in', email);
  await button(page, 'Use a recovery code').click();
  await prove(page, 'Second step', 'Recovery code', codes[3] ?? ''); // each one works once
  await page.getByText('code_not_valid').waitFor();
  await button(page, 'Cancel').click();
  await page.getByRole('form', { name: 'Sign in', exact: true }).waitFor();
  await enter(page, 'Sign in', email);
  await page.getByText('Finish within 5 minutes.').waitFor();
  await advance(page, 301);
  await prove(page, 'Second step', APP, codeNow(secret));
  await outcome(page, 'account', 'challenge_not_valid');
  await page.getByRole('form', { name: 'Sign in', exact: true }).waitFor();
  expect(await cookies(page)).toEqual([]);
});

test('an action that needs a newer proof, and the removal of the factor, ask for the proof and then continue', async () => {
  const { page, email, secret, codes } = await memberWithFactor();
  const session = () => page.locator('#claims tr:has(th:text-is("session")) code').innerText();
  const before = [await session(), await cookies(page)];
  const dialog = page.getByRole('dialog', { name: DIALOG });
  const exportData = async () => {
    await button(page, 'Export my data').click();
    await dialog.getByText('needs a proof of identity from the last 60 seconds').waitFor();
  };
  await button(page, 'Export my data').click();
  await outcome(page, 'proof', 'The server has made the export.'); // the proof is fresh
  await advance(page, 61);
  await page
    .locator('#proof-age')
    .filter({ hasText: /^1 min/ })
    .waitFor();

  await exportData();
  await button(page, 'Cancel').click();
  await outcome(page, 'proof', 'reauthentication_required');
  await exportData();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  await outcome(page, 'proof', 'reauthentication_required');

  await exportData();
  const right = await nextCode(page, secret);
  await prove(page, DIALOG, APP, right === '000000' ? '000001' : '000000');
  await dialog.getByText('incorrect_credentials').waitFor();
  await prove(page, DIALOG, APP, right);
  await outcome(page, 'proof', 'The server has made the export.');
  expect(await dialog.isVisible()).toBe(false);
  await page
    .locator('#proof-age')
    .filter({ hasText: /^\d s$/ })
    .waitFor();
  await proved(page, 'pwd, otp, mfa');
  expect([await session(), await cookies(page)]).toEqual(before);

  await advance(page, 601);
  await button(page, 'Remove the authenticator app').click();
  await dialog.getByText('from the last 600 seconds').waitFor();
  await button(page, 'Use a recovery code').click();
  await prove(page, DIALOG, 'Recovery code', codes[0] ?? '');
  await outcome(page, 'factor', 'The authenticator app and the recovery codes are removed.');
  await factor(page, OFF);

  await button(page, 'Sign out').click();
  await enter(page, 'Sign in', email);
  await outcome(page, 'account', 'You are signed in.');
  await proved(page, 'pwd');
  await advance(page, 61);
  await exportData();
  await prove(page, DIALOG, 'Password', `${PASSWORD}?`);
  await dialog.getByText('incorrect_credentials').waitFor();
  await prove(page, DIALOG, 'Password', PASSWORD);
  await outcome(page, 'proof', 'The server has made the export.');

  await advance(page, 61);
  await exportData();
  const other = await openIn(page.context());
  await button(other, 'Sign out').click();
  await dialog.waitFor({ state: 'hidden' });
  await page.getByRole('form', { name: 'Sign in', exact: true }).waitFor();
});

test.each(['light', 'dark'] as const)('fits a narrow screen and is readable in the %s scheme', async (colorScheme) => {
  const { page, email } = await member(demo, {
    viewport: { width: 320, height: 640 },
    colorScheme,
    reducedMotion: 'reduce',
  });
  await factor(page, OFF);
  await button(page, 'Set up an authenticator app').click();
  await button(page, 'Show the code that an app shows now').click();
  await page
    .locator('output')
    .filter({ hasText: /\d{3} \d{3}/ })
    .waitFor();
  expect(await page.evaluate(LOOK)).toEqual(WELL(colorScheme));
  await confirmSecret(page);
  await factor(page, ON);
  expect(await page.evaluate(LOOK)).toEqual(WELL(colorScheme));
  await advance(page, 61);
  await button(page, 'Export my data').click();
  await page.getByRole('dialog', { name: DIALOG }).waitFor();
  expect(await page.evaluate(LOOK)).toEqual(WELL(colorScheme));
  await button(page, 'Cancel').click();
  await button(page, 'Sign out').click();
  await enter(page, 'Sign in', email);
  await page.getByRole('form', { name: 'Second step' }).waitFor();
  expect(await page.evaluate(LOOK)).toEqual(WELL(colorScheme));
});

test('where every account needs a second factor, a sign-up sets it up first', async () => {
  const required = await demoWith({ JWT_ALLAUTH_MFA_MODE: 'required' });
  await required.advance(ahead / 1000);
  const page = await visit(required);
  await page.getByText('Sign up below to start: here every account needs a second factor.').waitFor();
  await enter(page, 'Sign up', 'required@example.com');
  await page.getByText('Every account here needs a second factor. You are not signed in yet.').waitFor();
  expect(await cookies(page)).toEqual([]);
  expect((await confirmSecret(page)).codes).toHaveLength(10);
  await page.getByText('Signed in as required@example.com').waitFor();
  await outcome(page, 'account', 'Your recovery codes are below.');
  await proved(page, 'pwd, otp, mfa');
  await button(page, 'Remove the authenticator app').click();
  await outcome(page, 'factor', 'second_factor_required_by_policy');
  await factor(page, ON);
});
