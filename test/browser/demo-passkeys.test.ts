import type { BrowserContextOptions, Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { totpCode } from '../../src/features/totp/totp-testing.js';
import { LOOK, WELL } from './demo-look.js';
import type { DemoProcess } from './demo-process.js';
import { useDemos } from './demos.js';
import { VirtualAuthenticator } from './virtual-authenticators.js';

const PASSWORD = 'a sentence that is long enough';
const SIGN_IN = 'Sign in with a passkey';
const NOT_VALID = 'This passkey does not work here: it was removed, or it is disabled. passkey_not_valid';

const { demoWith, newContext, watch } = useDemos(PASSWORD);
let demo: DemoProcess;
beforeAll(async () => {
  demo = await demoWith();
});

/** Counts how often the page has asked the browser for the autofill. */
const COUNTER = `window.autofills = 0;
const native = navigator.credentials?.get.bind(navigator.credentials);
if (native) navigator.credentials.get = (request) => {
  if (request.mediation === 'conditional') window.autofills++;
  return native(request);
}`;

async function visit({ url } = demo, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await (await newContext(options)).newPage();
  await page.addInitScript(COUNTER);
  watch(page);
  await page.goto(url);
  return page;
}

let accounts = 0;
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const signedIn = (page: Page, email: string) => page.getByText(`Signed in as ${email}`).waitFor();
const proved = (page: Page, amr: string) => page.locator('#proof-amr').getByText(amr, { exact: true }).waitFor();
const says = (page: Page, text: string) => page.locator('#account-outcome').filter({ hasText: text }).waitFor();
const listed = (page: Page, text: string) => page.locator('#passkey-list li').filter({ hasText: text }).waitFor();

async function enter(page: Page, name: 'Sign in' | 'Sign up', email: string): Promise<void> {
  const form = page.getByRole('form', { name, exact: true });
  await form.getByLabel('E-mail').fill(email);
  await form.getByLabel('Password').fill(PASSWORD);
  await form.getByRole('button').click();
}

/** A new user with a password and a passkey, on the page of a new browser. */
async function owner(options: BrowserContextOptions = {}) {
  const page = await visit(demo, options);
  const authenticator = await VirtualAuthenticator.addTo(page);
  const email = `passkey${++accounts}@example.com`;
  await enter(page, 'Sign up', email);
  await signedIn(page, email);
  await page.getByLabel('Name of the passkey').fill('Laptop');
  await button(page, 'Add a passkey').click();
  await says(page, 'From now on you can sign in with the passkey Laptop.');
  await listed(page, 'Laptop: not used yet');
  return { page, authenticator, email };
}

/** Does what makes the page ask for the autofill. The authenticator waits, so that it does not sign in at once. */
async function beforeAutofill(page: Page, authenticator: VirtualAuthenticator, act: () => Promise<unknown>) {
  await authenticator.setPresent(false);
  const before = await page.evaluate('autofills');
  await act();
  await expect.poll(() => page.evaluate('autofills')).not.toBe(before);
  await authenticator.setPresent(true);
}

const signOut = (page: Page, authenticator: VirtualAuthenticator) =>
  beforeAutofill(page, authenticator, () => button(page, 'Sign out').click());

/** Sets an authenticator app up. */
async function setUpFactor(page: Page): Promise<void> {
  await button(page, 'Set up an authenticator app').click();
  const secret = (await page.locator('.secret').innerText()).replaceAll(' ', '');
  await page.getByLabel('The code that the app shows').fill(totpCode(secret));
  await button(page, 'Confirm the app').click();
  await page.locator('#recovery-code-list li').last().waitFor();
}

test('a visitor adds a passkey, and signs in with a button or in the autofill of the form', async () => {
  const { page, authenticator, email } = await owner();
  expect(await authenticator.credentials()).toMatchObject([{ rpId: 'localhost', isResidentCredential: true }]);
  await button(page, 'Add a passkey').click();
  await says(page, 'This device has a passkey of your account already. passkey_already_registered');
  await signOut(page, authenticator);
  await button(page, SIGN_IN).click();
  await signedIn(page, email);
  await proved(page, 'hwk, user, mfa');
  await page.getByText('You gave a passkey of one device.').waitFor();
  await listed(page, 'Laptop: last used');

  expect(await page.locator('#sign-in-email').getAttribute('autocomplete')).toBe('username webauthn');
  await button(page, 'Sign out').click(); // the authenticator answers the autofill at once
  await says(page, 'You are signed in with a passkey.');
  await signedIn(page, email);
});

test('a visitor signs up with a passkey and without a password, and signs in with it', async () => {
  const page = await visit();
  const authenticator = await VirtualAuthenticator.addTo(page);
  const email = `sign-up${++accounts}@example.com`;
  const form = page.getByRole('form', { name: 'Sign up with a passkey' });
  await form.getByLabel('E-mail').fill(email);
  await form.getByRole('button').click();
  await says(page, 'Your account has been created without a password, and you are signed in.');
  await signedIn(page, email);
  await proved(page, 'hwk, user, mfa');
  await signOut(page, authenticator);
  await form.getByLabel('E-mail').fill(email);
  await beforeAutofill(page, authenticator, () => form.getByRole('button').click());
  await page.locator('.field-error').getByText('email_already_registered').waitFor();
  await button(page, SIGN_IN).click();
  await signedIn(page, email);
});

test('a user renames a passkey and removes it, and then cannot sign in with it', async () => {
  const { page, authenticator } = await owner();
  await button(page, 'Rename Laptop').click();
  await page.getByLabel('New name').fill('');
  await button(page, 'Save the name').click();
  await page.locator('.field-error').getByText('validation_failed').waitFor();
  await page.getByLabel('New name').fill('<Büro>');
  await button(page, 'Save the name').click();
  await says(page, 'The passkey has a new name.');
  await listed(page, '<Büro>: not used yet');
  await button(page, 'Remove <Büro>').click();
  await says(page, 'The passkey <Büro> does not work here any more.');
  expect(await page.locator('#passkey-list li').count()).toBe(0);
  await signOut(page, authenticator);
  await button(page, SIGN_IN).click();
  await says(page, NOT_VALID);
});

test('a passkey that may have been copied is shown as disabled', async () => {
  const { page, authenticator, email } = await owner();
  const [stored] = await authenticator.credentials();
  await signOut(page, authenticator);
  await button(page, SIGN_IN).click();
  await signedIn(page, email);
  await authenticator.clear();
  await signOut(page, authenticator);
  if (stored) await authenticator.addCredential({ ...stored, signCount: 0 });
  await button(page, SIGN_IN).click();
  await says(page, NOT_VALID);
  await enter(page, 'Sign in', email);
  await listed(page, 'Laptop: disabled, because there may be a copy of it');
});

test('a passkey is the second factor of a sign-in, and the proof for an action that needs a newer one', async () => {
  const { page, authenticator, email } = await owner();
  await button(page, 'Export my data').click();
  await page.locator('#proof-outcome').getByText('The server has made the export.').waitFor();
  const dialog = page.getByRole('dialog', { name: 'Confirm that it is you' });
  await button(page, 'Send money').click();
  expect(await dialog.getByRole('textbox').count()).toBe(0); // only a passkey can prove it
  await dialog.getByRole('button', { name: 'Use a passkey' }).click();
  await page.locator('#proof-outcome').getByText('The server has sent the money.').waitFor();
  await proved(page, 'pwd, swk, user, mfa');

  await setUpFactor(page);
  await signOut(page, authenticator);
  await enter(page, 'Sign in', email);
  await page.getByText('The first step is done. You are not signed in yet.').waitFor();
  await button(page, 'Use a passkey').click();
  await says(page, 'You are signed in with two factors.');
  await proved(page, 'pwd, hwk, user, mfa');

  await demo.advance(61);
  await button(page, 'Export my data').click();
  await dialog.getByLabel('Code of your authenticator app').waitFor();
  await dialog.getByRole('button', { name: 'Use a passkey' }).click();
  await page.locator('#proof-outcome').getByText('The server has made the export.').waitFor();
});

test('a page at an IP address goes to localhost, and a page outside of the domain says where passkeys work', async () => {
  const page = await visit({ ...demo, url: `${demo.url.replace('localhost', '127.0.0.1')}/?from=there` });
  expect(page.url()).toBe(`${demo.url}/?from=there`);
  const other = await demoWith({
    JWT_ALLAUTH_PASSKEY_RP_ID: 'example.com',
    JWT_ALLAUTH_PASSKEY_ORIGINS: 'https://app.example.com',
  });
  const elsewhere = await visit(other);
  await elsewhere.getByText('Passkeys belong to a domain. Here they work on example.com.').waitFor();
  expect(await button(elsewhere, SIGN_IN).isVisible()).toBe(false);
});

test.each(['light', 'dark'] as const)('passkeys look right on the narrowest phone (%s)', async (colorScheme) => {
  const { page } = await owner({ viewport: { width: 320, height: 800 }, colorScheme, reducedMotion: 'reduce' });
  await page.mouse.move(0, 0); // a button under the pointer has another colour
  expect(await page.evaluate(LOOK)).toEqual(WELL(colorScheme));
  await button(page, 'Rename Laptop').click();
  await page.getByLabel('New name').waitFor();
  expect(await page.evaluate(LOOK)).toEqual(WELL(colorScheme));
});
