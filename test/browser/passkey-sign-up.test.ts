import type { Page } from 'playwright-core';
import { afterEach, expect, test } from 'vitest';
import type { SettingsInput } from '../../src/index.js';
import { PASSWORD } from '../support/test-client.js';
import {
  claims,
  HOST,
  openClient,
  type PasskeyPages,
  passkeys,
  requests,
  result,
  startPasskeyPages,
  status,
} from './passkey-pages.js';
import { useChromium } from './shared-chromium.js';
import { VirtualAuthenticator } from './virtual-authenticators.js';

const EMAIL = 'ada@example.com';

const chromium = useChromium(HOST);
let pages: PasskeyPages;
afterEach(() => pages.close());

/** A page with an authenticator, of a new visitor. */
async function visit(settings: SettingsInput = {}): Promise<{ page: Page; authenticator: VirtualAuthenticator }> {
  pages = await startPasskeyPages(chromium, settings);
  const page = await pages.openTab();
  return { page, authenticator: await VirtualAuthenticator.addTo(page) };
}

test('a visitor signs up with a passkey and no password, and signs in with it', async () => {
  const { page, authenticator } = await visit();
  expect(await result(page, `passkeys.signUp({ email: '${EMAIL}', firstName: 'Ada' })`)).toBe('signed-in');
  const { sub, amr } = await claims(page);
  expect(amr).toEqual(['hwk', 'user', 'mfa']);
  expect(await result(page, 'getUser()')).toMatchObject({ email: EMAIL, firstName: 'Ada' });
  expect(await authenticator.credentials()).toMatchObject([{ userName: EMAIL, isResidentCredential: true }]);
  const [passkey, ...others] = await passkeys(page);
  expect(others).toEqual([]);
  expect(await result(page, `passkeys.remove('${passkey?.id}')`)).toBe('last_sign_in_method');

  await result(page, 'logout()');
  expect(await result(page, `login({ email: '${EMAIL}', password: '${PASSWORD}' })`)).toBe('incorrect_credentials');
  expect(await result(page, 'passkeys.signIn()')).toBe('done');
  expect((await claims(page)).sub).toBe(sub);
  expect(await requests(page)).toEqual([
    ['create', 'modal', 0],
    ['get', 'modal', 0],
  ]);
});

test('a visitor who leaves the dialog is not signed up', async () => {
  const { page, authenticator } = await visit();
  await authenticator.setPresent(false);
  await page.evaluate('window.tamper = (options) => { options.timeout = 500; }');
  expect(await result(page, `passkeys.signUp({ email: '${EMAIL}' })`)).toBe('passkey_cancelled');
  expect(pages.sent).toEqual(['POST /passkeys/sign-up/options 200']);
  expect(await status(page)).toBe('unknown');
  await authenticator.setPresent(true);
  expect(await result(page, `passkeys.signUp({ email: '${EMAIL}' })`)).toBe('signed-in');
});

test('a visitor has to confirm the address before the first sign-in if that is mandatory', async () => {
  const { page } = await visit({ emailVerification: 'mandatory' });
  expect(await result(page, `passkeys.signUp({ email: '${EMAIL}' })`)).toBe('confirmation-mailed');
  expect(await status(page)).toBe('unknown');
  expect(await result(page, 'passkeys.signIn()')).toBe('passkey_not_valid');
  const [mail] = await pages.app.mailsTo(EMAIL);
  const [link = ''] = mail?.text?.match(/http:\/\/app\.localhost\/\S+/) ?? [];
  await page.goto(link);
  await page.getByRole('heading', { name: 'Your address is confirmed' }).waitFor();
  await openClient(page);
  expect(await result(page, 'passkeys.signIn()')).toBe('done');
  expect(await result(page, 'getUser()')).toMatchObject({ email: EMAIL });
});
