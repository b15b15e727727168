import type { BrowserContext, Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { totpCode } from '../../src/features/totp/totp-testing.js';
import { LOOK, WELL } from './demo-look.js';
import type { DemoProcess } from './demo-process.js';
import { useDemos } from './demos.js';

const PASSWORD = 'a sentence that is long enough';
const PROVIDER = 'the local provider';
const SIGN_IN = `Sign in with ${PROVIDER}`;

const { demoWith, newContext, watch, faults, query } = useDemos(PASSWORD);
let demo: DemoProcess;
beforeAll(async () => {
  demo = await demoWith();
});

async function visit({ url } = demo, context?: BrowserContext): Promise<Page> {
  const own = context ?? (await newContext());
  const page = await own.newPage();
  watch(page);
  await page.goto(url);
  return page;
}

let accounts = 0;
const newAddress = () => `sign-in${++accounts}@example.com`;
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const signedIn = (page: Page, email: string) => page.getByText(`Signed in as ${email}`).waitFor();
const proved = (page: Page, amr: string) => page.locator('#proof-amr').getByText(amr, { exact: true }).waitFor();
const says = (page: Page, text: string) => page.locator('#account-outcome').filter({ hasText: text }).waitFor();

/** Says at the provider who the visitor is. */
async function beAt(page: Page, email: string, name = 'Ada Lovelace'): Promise<void> {
  await page.getByRole('heading', { name: PROVIDER }).waitFor();
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('E-mail address').fill(email);
  await button(page, 'Continue').click();
}

async function signUp(page: Page, email: string): Promise<void> {
  const form = page.getByRole('form', { name: 'Sign up', exact: true });
  await form.getByLabel('E-mail').fill(email);
  await form.getByLabel('Password').fill(PASSWORD);
  await form.getByRole('button').click();
  await signedIn(page, email);
}

/** The cookies of the demo, without their values. */
async function cookies(page: Page, { url } = demo) {
  const all = await page.context().cookies(`${url}/auth/x`);
  return all.map(({ value: _, expires: __, domain: ___, ...attributes }) => attributes);
}
const LAX = { httpOnly: true, secure: false, sameSite: 'Lax' };
const BROWSER_COOKIE = { name: 'social_browser', path: '/auth', ...LAX };
const REFRESH_COOKIE = { name: 'refresh_token', path: '/', ...LAX };

/** Sets an authenticator app up. @returns its secret */
async function setUpFactor(page: Page): Promise<string> {
  await button(page, 'Set up an authenticator app').click();
  const secret = (await page.locator('.secret').innerText()).replaceAll(' ', '');
  await page.getByLabel('The code that the app shows').fill(totpCode(secret));
  await button(page, 'Confirm the app').click();
  await page.locator('#recovery-code-list li').last().waitFor();
  return secret;
}

async function answerChallenge(page: Page, secret: string): Promise<void> {
  await page.getByText('The first step is done. You are not signed in yet.').waitFor();
  const form = page.getByRole('form', { name: 'Second step' });
  await form.getByLabel('Code of your authenticator app').fill(totpCode(secret, Date.now() + 30_000)); // a code is good once
  await form.locator('[type=submit]').click();
}

/** The latest mail with a code to an address that the demo has printed. */
async function mailTo(email: string, count = 1): Promise<{ link: string; code: string }> {
  const mails = () =>
    demo
      .output()
      .split(/─{72}\n/)
      .filter((mail) => mail.includes(`To: ${email}\n`) && /mail: \d/.test(mail));
  await expect.poll(() => mails().length).toBeGreaterThanOrEqual(count);
  const mail = mails().at(-1) ?? '';
  const [link = ''] = /http\S+\/magic-link\/[\w-]+/.exec(mail) ?? [];
  const [, code = ''] = /mail: ([\d ]+)/.exec(mail) ?? [];
  return { link, code: code.replaceAll(' ', '') };
}

test('a visitor signs in with the local provider, and the next time with one press and the same account', async () => {
  const email = newAddress();
  const page = await visit();
  await button(page, SIGN_IN).click();
  await page.waitForURL((url) => url.origin !== demo.url);
  expect(await cookies(page)).toEqual([BROWSER_COOKIE]);
  await beAt(page, email);
  await signedIn(page, email);
  await page.getByText('address confirmed').waitFor();
  await proved(page, 'fed');
  expect(page.url()).toBe(`${demo.url}/`);
  expect((await cookies(page)).sort((a, b) => a.name.localeCompare(b.name))).toEqual([REFRESH_COOKIE, BROWSER_COOKIE]);
  await page.locator('#connected-list').getByText(`${PROVIDER}: ${email}`).waitFor();

  await page.reload();
  await signedIn(page, email);
  await button(page, 'Sign out').click();
  await button(page, SIGN_IN).click();
  await beAt(page, email, 'Another name');
  await signedIn(page, email);
  const { rows } = await query('select first_name from demo_user where email = $1', [email]);
  expect(rows).toEqual([{ first_name: 'Ada' }]);
});

test('a visitor who cancels, or whose address is not verified, sees why, and the address bar is clean', async () => {
  const page = await visit();
  await button(page, SIGN_IN).click();
  await button(page, 'Cancel').click();
  await says(page, 'The provider did not confirm who you are, or you have cancelled. provider_refused');
  expect(page.url()).toBe(`${demo.url}/`);
  await button(page, SIGN_IN).click();
  await page.getByLabel('The provider has verified the address').uncheck();
  await beAt(page, newAddress());
  await says(page, 'provider_email_not_verified');
  expect([page.url(), await cookies(page)]).toEqual([`${demo.url}/`, [BROWSER_COOKIE]]);
  await page.reload();
  await page.getByRole('form', { name: 'Sign in', exact: true }).waitFor();
  expect(await page.locator('#account-outcome').innerText()).toBe('');
});

test('a sign-in with the provider asks for the second factor, and no URL contains the challenge', async () => {
  const email = newAddress();
  const page = await visit();
  await button(page, SIGN_IN).click();
  await beAt(page, email);
  await signedIn(page, email);
  const secret = await setUpFactor(page);
  await button(page, 'Sign out').click();
  await button(page, SIGN_IN).click();
  await beAt(page, email);
  await page.getByText('The first step is done.').waitFor();
  expect([page.url(), await cookies(page)]).toEqual([`${demo.url}/`, [BROWSER_COOKIE]]);
  await answerChallenge(page, secret);
  await signedIn(page, email);
  await proved(page, 'fed, otp, mfa');
});

test('a user with a password connects the local provider, signs in with it, and disconnects it', async () => {
  const email = newAddress();
  const page = await visit();
  await signUp(page, email);
  await button(page, `Connect ${PROVIDER}`).click();
  await beAt(page, `other-${email}`);
  await signedIn(page, email);
  await page.locator('#connected-list').getByText(`${PROVIDER}: other-${email}`).waitFor();
  expect(page.url()).toBe(`${demo.url}/`);
  await button(page, 'Sign out').click();
  await button(page, SIGN_IN).click();
  await beAt(page, `other-${email}`);
  await signedIn(page, email);
  await button(page, `Disconnect ${PROVIDER}`).click();
  await says(page, `You cannot sign in with ${PROVIDER} any more.`);
  await button(page, `Connect ${PROVIDER}`).waitFor();
});

test('a visitor signs in by mail, with the code on the same page or with the link in another browser', async () => {
  const email = newAddress();
  const page = await visit();
  const form = page.getByRole('form', { name: 'Sign in by mail' });
  await form.getByLabel('E-mail').fill(email);
  await form.getByRole('button').click();
  await says(page, 'A mail with a link and a code is on its way');
  const first = await mailTo(email);
  const code = page.getByRole('textbox', { name: 'Code of the mail' });
  await code.fill(first.code === '000000' ? '111111' : '000000');
  await button(page, 'Sign in with the code').click();
  await page.getByText('code_not_valid').waitFor();
  await code.fill(`${first.code.slice(0, 3)} ${first.code.slice(3)}`);
  await button(page, 'Sign in with the code').click();
  await signedIn(page, email);
  await proved(page, 'mail');

  await button(page, 'Sign out').click();
  await form.getByLabel('E-mail').fill(email);
  await form.getByRole('button').click();
  const second = await mailTo(email, 2);
  for (let prefetch = 0; prefetch < 3; prefetch++) expect((await fetch(second.link)).status).toBe(200); // a scanner
  const other = await visit({ ...demo, url: second.link });
  await other.getByRole('button').click();
  await signedIn(other, email);
  await proved(other, 'mail');
});

test('a sign-in with the code of a mail asks for the second factor', async () => {
  const email = newAddress();
  const page = await visit();
  await button(page, SIGN_IN).click();
  await beAt(page, email);
  await signedIn(page, email);
  const secret = await setUpFactor(page);
  await button(page, 'Sign out').click();
  const form = page.getByRole('form', { name: 'Sign in by mail' });
  await form.getByLabel('E-mail').fill(email);
  await form.getByRole('button').click();
  await says(page, 'A mail with a link and a code is on its way');
  await page.getByRole('textbox', { name: 'Code of the mail' }).fill((await mailTo(email)).code);
  await button(page, 'Sign in with the code').click();
  await answerChallenge(page, secret);
  await signedIn(page, email);
  await proved(page, 'mail, otp, mfa');
});

test('neither a link with a code of another person nor a callback of another person signs a visitor in', async () => {
  const start = await fetch(`${demo.url}/auth/social/local`, { redirect: 'manual' });
  const at = new URL(start.headers.get('location') ?? '');
  at.searchParams.set('user_email', newAddress());
  const callback = (await fetch(at, { redirect: 'manual' })).headers.get('location') ?? '';
  expect(callback).toContain(`${demo.url}/auth/social/local/callback?code=`);
  const victim = await visit();
  await victim.goto(callback);
  await victim.getByRole('heading', { name: 'This sign-in cannot be completed' }).waitFor();
  await victim.goto(`${demo.url}/#code=${'a'.repeat(43)}`);
  await victim.getByRole('form', { name: 'Sign in', exact: true }).waitFor();
  expect(await cookies(victim)).toEqual([]);
  faults.splice(0);
});

test('if tokens travel in bodies, the code in the fragment signs in, and is removed from the address bar', async () => {
  const bodies = await demoWith({ JWT_ALLAUTH_REFRESH_TOKEN_AS_COOKIE: 'false' });
  const email = newAddress();
  const page = await visit(bodies);
  await button(page, SIGN_IN).click();
  await beAt(page, email);
  await signedIn(page, email);
  await proved(page, 'fed');
  expect([page.url(), await cookies(page, bodies)]).toEqual([`${bodies.url}/`, [BROWSER_COOKIE]]);
});

test.each(['light', 'dark'] as const)('the new forms look right on the narrowest phone (%s)', async (colorScheme) => {
  const context = await newContext({
    viewport: { width: 320, height: 800 },
    colorScheme,
    reducedMotion: 'reduce',
  });
  const page = await visit(demo, context);
  await button(page, SIGN_IN).waitFor();
  expect(await page.evaluate(LOOK)).toEqual(WELL(colorScheme));
  const form = page.getByRole('form', { name: 'Sign in by mail' });
  await form.getByLabel('E-mail').fill(newAddress());
  await form.getByRole('button').click();
  await page.getByRole('textbox', { name: 'Code of the mail' }).waitFor();
  await page.mouse.move(0, 0); // a button under the pointer has another colour
  expect(await page.evaluate(LOOK)).toEqual(WELL(colorScheme));
});
