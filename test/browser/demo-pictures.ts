import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { renderSVG } from 'uqr';
import { totpCode } from '../../src/features/totp/totp-testing.js';
import { freePort } from '../../src/testing/free-port.js';
import { launchChromium } from './chromium.js';
import { type DemoProcess, startDemo } from './demo-process.js';

// Makes the pictures of the page for README and docs from the running demo: `npm run pictures`.

/** Opens the page and starts the story with a throw-away account. */
async function start(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.getByRole('button', { name: 'Steal a token, step by step' }).click();
  await page.getByText('The owner signed in and got token 1.').waitFor();
}

/** Presses the button of the next step and waits for its result. */
async function step(page: Page, label: string, then: string): Promise<void> {
  await page.getByRole('button', { name: label, exact: true }).click();
  await page.locator('#theft-outcome').filter({ hasText: then }).waitFor();
}

/** A secret that everybody knows, from the documentation of many authenticator apps. */
const SECRET = 'JBSWY3DPEHPK3PXP';
const URI = `otpauth://totp/jwt-allauth%20demo:ada%40example.com?issuer=jwt-allauth%20demo&secret=${SECRET}`;
const ACCOUNT = { email: 'ada@example.com', password: 'only for pictures, and long enough' };

/** Makes the pictures of the second factor: set-up, the second step of a sign-in, and step-up. */
async function takeFactorPictures(page: Page, { url, advance }: DemoProcess): Promise<void> {
  const press = (name: string) => page.getByRole('button', { name, exact: true }).click();
  const enter = async (form: string, fields: Readonly<Record<string, string>>) => {
    const place = page.getByRole('form', { name: form, exact: true });
    for (const [label, text] of Object.entries(fields)) await place.getByLabel(label).fill(text);
    await place.locator('[type=submit]').click();
  };
  const take = async (name: string, place: string) => {
    await page.mouse.move(0, 0);
    await page.evaluate('document.activeElement.blur()');
    await writeFile(`demo/pictures/${name}.png`, await page.locator(place).screenshot());
  };
  await page.goto(url);
  await enter('Sign up', { 'E-mail': ACCOUNT.email, Password: ACCOUNT.password });
  await page.route('**/mfa/totp/setup', (route) =>
    route.fulfill({ json: { secret: SECRET, uri: URI, qr: renderSVG(URI, { border: 4 }) } }),
  );
  await press('Set up an authenticator app');
  await page.locator('.secret').waitFor();
  await page.evaluate(`document.querySelector('.set-up .demo-only').hidden = true`); // not for other apps
  await take('second-factor-set-up', '.set-up');
  await page.unrouteAll();
  await press('Set up an authenticator app');
  await page.getByText(SECRET.slice(0, 4)).waitFor({ state: 'detached' });
  const secret = (await page.locator('.secret').innerText()).replaceAll(' ', '');
  await page.getByLabel('The code that the app shows').fill(totpCode(secret));
  await press('Confirm the app');
  await page.locator('#recovery-codes').waitFor();
  await press('Sign out');
  await page.getByText('You are signed out.').waitFor();
  await page.reload(); // so that the page forgets the secret
  await enter('Sign in', { 'E-mail': ACCOUNT.email, Password: ACCOUNT.password });
  await page.locator('#challenge-form').waitFor();
  await take('second-factor-challenge', '#account');
  await advance(60);
  await enter('Second step', { 'Code of your authenticator app': totpCode(secret, Date.now() + 60_000) });
  await page.getByText('You are signed in with two factors.').waitFor();
  await advance(61);
  await press('Export my data');
  await page.locator('#step-up').waitFor();
  await take('step-up', '#step-up');
}

const directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-pictures-'));
const demo = await startDemo(directory, {
  DEMO_DATA: directory,
  PORT: String(await freePort()),
  DEMO_STAFF_PASSWORD: 'only for pictures, and long enough',
});
const { host, port } = new URL(demo.url);
const browser = await launchChromium(host, Number(port));
try {
  const desktop = await browser.newPage({ viewport: { width: 1100, height: 860 }, colorScheme: 'light' });
  await start(desktop, demo.url);
  await desktop.getByText('this device').waitFor();
  await step(desktop, 'Next: the thief copies the token', 'copied token 1');
  await step(desktop, 'Next: the thief refreshes', 'got token 2');
  await desktop.mouse.move(0, 0);
  await writeFile('demo/pictures/page-light.png', await desktop.screenshot());
  await step(desktop, 'Next: the thief refreshes again', 'got token 3');
  await step(desktop, 'Next: the owner refreshes', 'The session has ended');
  await desktop.mouse.move(0, 0);
  await writeFile('demo/pictures/token-family.png', await desktop.locator('#theft').screenshot());

  await takeFactorPictures(
    await browser.newPage({ viewport: { width: 1100, height: 860 }, colorScheme: 'light' }),
    demo,
  );

  const dark = { viewport: { width: 360, height: 740 }, colorScheme: 'dark', deviceScaleFactor: 1.5 } as const;
  const phone = await browser.newPage(dark);
  await phone.goto(demo.url);
  await phone.getByRole('button', { name: 'Steal a token, step by step' }).waitFor();
  await writeFile('demo/pictures/page-dark-phone.png', await phone.screenshot());
} finally {
  await browser.close();
  await demo.stop();
  await rm(directory, { recursive: true, force: true });
}
