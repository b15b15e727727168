import type { BrowserContext, Page } from 'playwright-core';
import { afterEach, describe, expect, test } from 'vitest';
import { totpCode } from '../../src/features/totp/totp-testing.js';
import type { SettingsInput } from '../../src/index.js';
import type { MailApp } from '../support/mail-app.js';
import { PASSWORD } from '../support/test-client.js';
import {
  claims,
  HOST,
  OLD_BROWSER,
  openClient,
  type PasskeyPages,
  passkeys,
  requests,
  result,
  startPasskeyPages,
  status,
} from './passkey-pages.js';
import { useChromium } from './shared-chromium.js';
import { type Traits, VirtualAuthenticator } from './virtual-authenticators.js';

const ADA = { email: 'ada@example.com', password: PASSWORD };

const chromium = useChromium(HOST);
let pages: PasskeyPages;
let app: MailApp;
let context: BrowserContext;
let sent: string[];
let openTab: PasskeyPages['openTab'];

async function start(settings: SettingsInput = {}): Promise<void> {
  pages = await startPasskeyPages(chromium, settings);
  ({ app, context, sent, openTab } = pages);
}
afterEach(() => pages.close());

const login = (page: Page) => result(page, `login(${JSON.stringify(ADA)})`);
const signOut = (page: Page) => result(page, 'logout()');

/** A tab of a user with a password and a passkey in a new authenticator. */
async function owner(traits: Traits = {}, query = '') {
  const page = await openTab(query);
  const authenticator = await VirtualAuthenticator.addTo(page, traits);
  expect(await result(page, `register(${JSON.stringify(ADA)})`)).toBe('signed-in');
  const added = (await result(page, `passkeys.add('Laptop')`)) as Awaited<ReturnType<typeof passkeys>>[number];
  expect(added).toMatchObject({ name: 'Laptop' });
  await requests(page);
  return { page, authenticator, id: added.id, ...(await claims(page)) };
}

describe.each([
  ['cookies', true],
  ['bodies', false],
])('with refresh tokens in %s', (_, refreshTokenAsCookie) => {
  const query = refreshTokenAsCookie ? '' : '?store';

  test('a user adds a passkey, and signs in with it in every tab, without an address', async () => {
    await start({ refreshTokenAsCookie });
    const { page, authenticator, sub, id } = await owner({}, query);
    const [stored, ...others] = await authenticator.credentials();
    expect(others).toEqual([]);
    expect(stored).toMatchObject({ rpId: HOST, isResidentCredential: true, userName: ADA.email });
    expect(Buffer.from(stored?.userHandle ?? '', 'base64')).toHaveLength(32);
    expect(await passkeys(page)).toEqual([
      expect.objectContaining({ id, name: 'Laptop', lastUsedAt: null, isBackedUp: false }),
    ]);

    expect(await signOut(page)).toBe('done');
    const other = await openTab(query);
    expect(await result(page, 'passkeys.signIn()')).toBe('done');
    expect(await claims(page)).toMatchObject({ sub, amr: ['hwk', 'user', 'mfa'] });
    expect(await requests(page)).toEqual([['get', 'modal', 0]]);
    expect(sent).toEqual([
      'POST /passkeys/registration/options 200',
      'POST /passkeys/registration 201',
      'GET /passkeys 200',
      'POST /passkeys/login/options 200',
      'POST /passkeys/login 200',
    ]);
    const cookies = (await context.cookies()).map(({ name, httpOnly }) => [name, httpOnly]);
    expect(cookies).toEqual(refreshTokenAsCookie ? [['refresh_token', true]] : []);
    if (refreshTokenAsCookie) {
      await other.waitForFunction(`client.state.claims?.sub === '${sub}'`);
      await openClient(page);
      expect(await result(page, 'restore()')).toMatchObject({ claims: { sub, amr: ['hwk', 'user', 'mfa'] } });
    }
    expect(await result(page, 'refresh()')).toMatchObject({ claims: { sub, amr: ['hwk', 'user', 'mfa'] } });
    expect((await passkeys(page))[0]?.lastUsedAt).toMatch(/^20\d\d-/);
  });
});

test('an older browser adds a passkey, signs in and proves with it as well', async () => {
  await start();
  await context.addInitScript(OLD_BROWSER);
  const { page, sub } = await owner();
  expect(
    await page.evaluate(`[PublicKeyCredential.parseCreationOptionsFromJSON,
      PublicKeyCredential.parseRequestOptionsFromJSON, PublicKeyCredential.prototype.toJSON].map((each) => typeof each)`),
  ).toEqual(['undefined', 'undefined', 'undefined']);
  expect(await result(page, 'passkeys.add()')).toBe('passkey_already_registered');
  expect(await requests(page)).toEqual([['create', 'modal', 1]]);
  await signOut(page);
  expect(await result(page, 'passkeys.signIn({ autofill: true })')).toBe('done');
  expect(await claims(page)).toMatchObject({ sub, amr: ['hwk', 'user', 'mfa'] });
  app.clock.advance('11m');
  expect(await page.evaluate(`client.fetch('/payout').then(({ status }) => status)`)).toBe(200);
  expect(await requests(page)).toEqual([
    ['get', 'conditional', 0],
    ['get', 'modal', 1],
  ]);
});

test('a synchronized passkey is shown as backed up, and its `amr` says so', async () => {
  await start();
  const { page } = await owner({ isSynchronized: true });
  expect(await passkeys(page)).toMatchObject([{ isBackedUp: true }]);
  await signOut(page);
  await result(page, 'passkeys.signIn()');
  expect((await claims(page)).amr).toEqual(['swk', 'user', 'mfa']);
});

describe('autofill', () => {
  test('signs in without a dialog', async () => {
    await start();
    const { page, sub } = await owner();
    await signOut(page);
    expect(await result(page, 'passkeys.isAutofillSupported()')).toBe(true);
    expect(await result(page, 'passkeys.signIn({ autofill: true })')).toBe('done');
    expect(await claims(page)).toMatchObject({ sub, amr: ['hwk', 'user', 'mfa'] });
    expect(await requests(page)).toEqual([['get', 'conditional', 0]]);
  });

  test('waits for the user, and ends if the user chooses the button instead, or if the page ends it', async () => {
    await start();
    const { page, authenticator, sub } = await owner();
    await signOut(page);
    await authenticator.setPresent(false);
    const begin = async (name: string, signal = '') => {
      await page.evaluate(`window.${name} = 'waits'; void client.passkeys.signIn({ autofill: true, ${signal} })
        .then(() => 'done', ({ code, message }) => code ?? message).then((end) => { window.${name} = end; })`);
      await page.waitForFunction('requests.length === 1');
      await requests(page);
    };
    await page.evaluate('window.controller = new AbortController()');
    await begin('first', 'signal: controller.signal');
    expect(await page.evaluate('first')).toBe('waits');
    await page.evaluate(`controller.abort(new Error('the form was closed'))`);
    await page.waitForFunction(`first === 'the form was closed'`);

    await begin('second');
    expect(await page.evaluate('second')).toBe('waits');
    await authenticator.setPresent(true);
    expect(await result(page, 'passkeys.signIn()')).toBe('done');
    expect(await page.evaluate('second')).toBe('passkey_cancelled');
    expect(await requests(page)).toEqual([['get', 'modal', 0]]);
    expect(await claims(page)).toMatchObject({ sub });
    expect(sent.filter((each) => each === 'POST /passkeys/login 200')).toHaveLength(1);
  });

  test('gets a new challenge on a page that stays open, and signs in with it', async () => {
    await start();
    const { page, authenticator, sub } = await owner();
    await signOut(page);
    await authenticator.setPresent(false);
    await page.clock.install();
    await page.evaluate(`window.end = 'waits'; void client.passkeys.signIn({ autofill: true })
      .then(() => 'done', ({ code }) => code).then((end) => { window.end = end; })`);
    await page.waitForFunction('requests.length === 1');
    app.clock.advance('6m'); // the first challenge has expired
    await authenticator.setPresent(true);
    await page.clock.fastForward('04:00');
    await page.waitForFunction(`end !== 'waits'`);
    expect(await page.evaluate('end')).toBe('done');
    expect(await requests(page)).toEqual([
      ['get', 'conditional', 0],
      ['get', 'conditional', 0],
    ]);
    expect(await claims(page)).toMatchObject({ sub });
  });
});

test('a passkey is the second factor after a password', async () => {
  await start();
  const { page, sub } = await owner();
  const { secret } = (await result(page, 'mfa.setup()')) as { secret: string };
  await result(page, `mfa.confirm({ code: '${totpCode(secret, app.clock.now())}' })`);
  await signOut(page);
  const refused = (await login(page)) as { challenge: string; methods: string[] };
  expect(refused).toMatchObject({ code: 'second_factor_required' });
  expect(refused.methods.toSorted()).toEqual(['passkey', 'recovery_code', 'totp']);
  expect(await status(page)).toBe('signed-out');
  expect(await result(page, `passkeys.answer('${refused.challenge}')`)).toBe('done');
  const { sub: user, amr } = await claims(page);
  expect([user, amr.toSorted()]).toEqual([sub, ['hwk', 'mfa', 'pwd', 'user']]);
  expect(await requests(page)).toEqual([['get', 'modal', 1]]);
  await signOut(page);
  expect(await result(page, `passkeys.answer('${refused.challenge}')`)).toBe('challenge_not_valid');
  expect(await result(page, 'passkeys.signIn()')).toBe('done'); // both factors at once
  expect(await claims(page)).toMatchObject({ sub, amr: ['hwk', 'user', 'mfa'] });
});

test('a passkey is the proof of a step-up, and the session stays the same', async () => {
  await start();
  const { page, session, auth_time: before } = await owner();
  app.clock.advance('11m');
  const pay = `client.fetch('/payout').then(({ status }) => status)`;
  expect(await page.evaluate(`Promise.all([${pay}, ${pay}])`)).toEqual([200, 200]);
  expect(await page.evaluate('asked')).toEqual(['reauthentication_required']);
  expect(await requests(page)).toEqual([['get', 'modal', 1]]);
  const now = await claims(page);
  // Not `hwk`: a proof does not say whether the passkey can be copied.
  expect([now.session, now.amr]).toEqual([session, ['pwd', 'swk', 'user', 'mfa']]);
  expect(now.auth_time - before).toBeGreaterThanOrEqual(660);
  expect(await app.liveSessions()).toBe(1);
  app.clock.advance('11m');
  expect(await result(page, `passkeys.remove('${(await passkeys(page))[0]?.id}')`)).toBe('done');
  expect(await page.evaluate('asked.length')).toBe(2);
});

test('a user has a passkey on each of two authenticators, and not two on one', async () => {
  await start();
  const { page, authenticator: phone, sub } = await owner();
  const key = await VirtualAuthenticator.addTo(page, { transport: 'usb' });
  await phone.setPresent(false);
  app.clock.advance('1s'); // the oldest comes first in the list
  expect(await result(page, `passkeys.add('Key')`)).toMatchObject({ name: 'Key' });
  expect((await passkeys(page)).map(({ name }) => name)).toEqual(['Laptop', 'Key']);
  const [[first], [second]] = [await phone.credentials(), await key.credentials()];
  expect(second?.userHandle).toBe(first?.userHandle);

  await signOut(page);
  for (const [used, unused, name] of [
    [key, phone, 'Key'],
    [phone, key, 'Laptop'],
  ] as const) {
    await used.setPresent(true);
    await unused.setPresent(false);
    const before = app.clock.now();
    app.clock.advance('1m');
    expect(await result(page, 'passkeys.signIn()')).toBe('done');
    expect((await claims(page)).sub).toBe(sub);
    const justUsed = (await passkeys(page)).filter(({ lastUsedAt }) => Date.parse(lastUsedAt ?? '') > before);
    expect(justUsed.map((each) => each.name)).toEqual([name]);
    if (name === 'Key') await signOut(page);
  }
  sent.length = 0;
  expect(await result(page, 'passkeys.add()')).toBe('passkey_already_registered');
  expect(sent).toEqual(['POST /passkeys/registration/options 200']);
});

test('an authenticator without resident keys or without user verification adds no passkey', async () => {
  await start();
  const page = await openTab();
  await result(page, `register(${JSON.stringify(ADA)})`);
  await page.evaluate('window.tamper = (options) => { options.timeout = 1000; }');
  const simple = await VirtualAuthenticator.addTo(page, { transport: 'usb', hasResidentKey: false });
  expect(await result(page, 'passkeys.add()')).toBe('passkey_cancelled');
  await simple.remove();
  const old = await VirtualAuthenticator.addTo(page, { transport: 'usb', hasUserVerification: false });
  expect(await result(page, 'passkeys.add()')).toBe('passkey_cancelled');
  expect(sent).toEqual(['POST /passkeys/registration/options 200', 'POST /passkeys/registration/options 200']);

  // The old one makes a passkey without verification if the page asks for less than the server.
  await page.evaluate(`window.tamper = (options) => {
    options.authenticatorSelection = { residentKey: 'discouraged', userVerification: 'discouraged' };
  }`);
  expect(await result(page, 'passkeys.add()')).toBe('passkey_not_valid');
  expect(sent.at(-1)).toBe('POST /passkeys/registration 400');
  expect([await passkeys(page), (await old.credentials()).length]).toEqual([[], 1]);
});

test('a user who is not verified is refused by the browser, and by the server if the page asks for less', async () => {
  await start();
  const { page, authenticator } = await owner();
  await authenticator.setVerified(false);
  expect(await result(page, 'passkeys.signIn()')).toBe('passkey_cancelled');
  await signOut(page);
  expect(await result(page, 'passkeys.signIn()')).toBe('passkey_cancelled');
  sent.length = 0;
  await page.evaluate(`window.tamper = (options) => { options.userVerification = 'discouraged'; }`);
  expect(await result(page, 'passkeys.signIn()')).toBe('passkey_not_valid');
  expect(sent).toEqual(['POST /passkeys/login/options 200', 'POST /passkeys/login 401']);
  expect(await status(page)).toBe('signed-out');
});

test('a passkey that was removed on one side cannot sign in', async () => {
  await start();
  const { page, authenticator, id } = await owner();
  const [stored] = await authenticator.credentials();
  await page.evaluate('window.tamper = (options) => { options.timeout = 1000; }');
  await authenticator.clear();
  await signOut(page);
  expect(await result(page, 'passkeys.signIn()')).toBe('passkey_cancelled');
  if (stored) await authenticator.addCredential(stored);
  expect(await result(page, 'passkeys.signIn()')).toBe('done');
  expect(await result(page, `passkeys.remove('${id}')`)).toBe('done');
  expect(await passkeys(page)).toEqual([]);
  await signOut(page);
  sent.length = 0;
  for (const options of ['', '{ autofill: true }'])
    expect(await result(page, `passkeys.signIn(${options})`)).toBe('passkey_not_valid');
  expect(await authenticator.credentials()).toHaveLength(1);
  expect(await status(page)).toBe('signed-out');
  expect(await login(page)).toMatchObject({ status: 'signed-in' });
});

test('a copied passkey is refused as soon as its counter is behind, and disabled', async () => {
  await start();
  const { page, authenticator } = await owner();
  const [copy] = await authenticator.credentials();
  await signOut(page);
  expect(await result(page, 'passkeys.signIn()')).toBe('done');
  await signOut(page);
  await authenticator.clear();
  if (copy) await authenticator.addCredential({ ...copy, signCount: 0 });
  expect(await result(page, 'passkeys.signIn()')).toBe('passkey_not_valid');
  await authenticator.clear();
  if (copy) await authenticator.addCredential({ ...copy, signCount: 100 });
  expect(await result(page, 'passkeys.signIn()')).toBe('passkey_not_valid');
  await login(page);
  expect(await passkeys(page)).toMatchObject([{ name: 'Laptop', isDisabled: true }]);
});

test('a user renames a passkey, and sees it in the list', async () => {
  await start();
  const { page, id } = await owner();
  expect(await result(page, `passkeys.rename('${id}', 'Büro 🗝')`)).toMatchObject({ id, name: 'Büro 🗝' });
  expect(await passkeys(page)).toMatchObject([{ id, name: 'Büro 🗝' }]);
  const other = '00000000-0000-4000-8000-000000000000';
  for (const call of [`rename('${other}', 'x')`, `remove('${other}')`])
    expect(await result(page, `passkeys.${call}`)).toBe('passkey_not_found');
  expect(await passkeys(page)).toMatchObject([{ id, name: 'Büro 🗝' }]);
});

test('a user who leaves the dialog stays as before, and can try again', async () => {
  await start();
  const { page, authenticator } = await owner();
  await authenticator.setPresent(false);
  // A dialog that is closed and one whose time is up end with the same exception.
  await page.evaluate('window.tamper = (options) => { options.timeout = 500; options.excludeCredentials = []; }');
  expect(await result(page, 'passkeys.add()')).toBe('passkey_cancelled');
  expect(await status(page)).toBe('signed-in');
  await signOut(page);
  expect(await result(page, 'passkeys.signIn()')).toBe('passkey_cancelled');
  expect(await status(page)).toBe('signed-out');
  await authenticator.setPresent(true);
  expect(await result(page, 'passkeys.signIn()')).toBe('done');
  expect(await passkeys(page)).toHaveLength(1);
});
