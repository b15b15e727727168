import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { freePort } from '../../src/testing/free-port.js';
import { launchChromium } from './chromium.js';
import { startDemo } from './demo-process.js';

// Makes the README's pictures of the page from the running demo: `npm run pictures`.

const PASSWORD = 'only for pictures, and long enough';

async function signUp(page: Page, url: string, email: string): Promise<void> {
  await page.goto(url);
  const form = page.getByRole('form', { name: 'Sign up' });
  await form.getByLabel('E-mail').fill(email);
  await form.getByLabel('Password').fill(PASSWORD);
  await form.getByRole('button').click();
  await page.getByText('Signed in: the first token').waitFor();
}

async function press(page: Page, name: string, then: string | RegExp): Promise<void> {
  await page.getByRole('button', { name }).click();
  await page.locator('#theft-outcome').filter({ hasText: then }).waitFor();
}

/** The thief is first; the owner gets the same successor within the grace, and later comes with a used token. */
async function steal(page: Page): Promise<void> {
  await press(page, 'Refresh as the owner', 'got its successor');
  await press(page, 'Copy the refresh token', 'has a copy');
  await press(page, 'Refresh as the thief', 'got its successor');
  await press(page, 'Refresh as the owner', 'the same successor');
  await press(page, 'Refresh as the thief', 'got its successor');
  await page.getByText('The owner holds a used token').waitFor();
}

const directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-pictures-'));
const demo = await startDemo(directory, {
  DEMO_DATA: directory,
  PORT: String(await freePort()),
  DEMO_STAFF_PASSWORD: PASSWORD,
  JWT_ALLAUTH_REFRESH_REUSE_GRACE: '2s',
});
const { host, port } = new URL(demo.url);
const browser = await launchChromium(host, Number(port));
try {
  const desktop = await browser.newPage({ viewport: { width: 1200, height: 1320 }, colorScheme: 'light' });
  await signUp(desktop, demo.url, 'ada@example.com');
  await desktop.getByText('this device').waitFor();
  await steal(desktop);
  await desktop.getByText('They say the same.').waitFor();
  await desktop.mouse.move(0, 0);
  await writeFile('demo/pictures/page-light.png', await desktop.screenshot({ fullPage: true }));
  await desktop.getByRole('button', { name: 'Refresh as the owner' }).click();
  await desktop.locator('#theft-outcome').filter({ hasText: 'proof of theft' }).waitFor();
  await desktop.mouse.move(0, 0);
  await writeFile('demo/pictures/token-family.png', await desktop.locator('#theft').screenshot());

  const dark = { viewport: { width: 360, height: 740 }, colorScheme: 'dark', deviceScaleFactor: 2 } as const;
  const phone = await browser.newPage(dark);
  await signUp(phone, demo.url, 'grace@example.com');
  await phone.getByText('this device').waitFor();
  await phone.mouse.move(0, 0);
  await phone.evaluate('scrollTo(0, 0)');
  await writeFile('demo/pictures/page-dark-phone.png', await phone.screenshot());
} finally {
  await browser.close();
  await demo.stop();
  await rm(directory, { recursive: true, force: true });
}
