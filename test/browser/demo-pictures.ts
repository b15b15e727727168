import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { freePort } from '../../src/testing/free-port.js';
import { launchChromium } from './chromium.js';
import { startDemo } from './demo-process.js';

// Makes the README's pictures of the page from the running demo: `npm run pictures`.

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
