import { readFileSync } from 'node:fs';
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { LOOK, WELL } from './demo-look.js';
import type { DemoProcess } from './demo-process.js';
import { useDemos } from './demos.js';

const PASSWORD = 'a sentence that is long enough';
const START = 'Steal a token, step by step';
const START_BOUND = 'Steal a token that needs a key';
const WITHOUT_KEY = 'The same theft, without a key';
const WITH_KEY = 'The same theft, with a key';

const { demoWith, newContext, watch } = useDemos(PASSWORD);

async function openIn(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  watch(page);
  await page.goto(url);
  return page;
}

const visit = async ({ url }: DemoProcess, options: BrowserContextOptions = {}): Promise<Page> =>
  openIn(await newContext(options), url);

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const outcome = (page: Page) => page.locator('#theft-outcome');
const story = (page: Page) => page.locator('#story .what').allInnerTexts();
const sentence = (page: Page) => page.locator('#diagram svg').getAttribute('aria-label');
const isBound = async (page: Page) => (await page.locator('#claims th').allInnerTexts()).includes('cnf');

/** Presses a button and waits for its result. */
async function press(page: Page, name: string, then: string | RegExp): Promise<void> {
  await button(page, name).click();
  await outcome(page).filter({ hasText: then }).waitFor();
}

/** Signs up with a throw-away account, and waits for its story. */
async function begin(page: Page, name: string): Promise<void> {
  const before = await outcome(page).innerText();
  await button(page, name).click();
  const patience = { timeout: 15_000 };
  await expect.poll(() => outcome(page).innerText(), patience).not.toBe(before);
  await outcome(page).filter({ hasText: 'You are signed in with a throw-away account' }).waitFor();
  await expect.poll(() => story(page), patience).toEqual(['The owner signed in and got token 1.']);
}

/** Refreshes the access token of a page. */
async function refresh(page: Page): Promise<void> {
  await button(page, 'Refresh now').click();
  await page.locator('#access-outcome').filter({ hasText: 'A new token came' }).waitFor();
}

/** The steps of the story: the button, and the result. */
const STEPS = [
  ['Next: the thief copies the token', 'The thief copied token 1.'],
  ['Next: the thief refreshes', 'was refused. The server answered 401 dpop_proof_invalid.'],
  ['Next: the owner refreshes', 'The owner refreshed with token 1 and got token 2.'],
  ['Next: the thief tries again', 'was refused. The server answered 401 dpop_proof_invalid.'],
] as const;

test('the manual has the steps of the story', () => {
  const page = readFileSync('docs/demo.md', 'utf8');
  for (const name of [START_BOUND, ...STEPS.map(([step]) => step)]) expect(page).toContain(`\n| "${name}" | `);
});

const THIEF_REFUSED = 'The thief refreshed with token 1, but without the key, and was refused.';
const STORY = [
  'The owner signed in and got token 1.',
  'The thief copied token 1.',
  THIEF_REFUSED,
  'The owner refreshed with token 1 and got token 2.',
  THIEF_REFUSED,
];

describe('a theft of a token that needs a key', () => {
  let demo: DemoProcess;
  beforeAll(async () => {
    demo = await demoWith();
  });

  test('gives the thief nothing, and the owner stays signed in', async () => {
    const page = await visit(demo);
    await begin(page, START_BOUND);
    expect(await page.evaluate('document.activeElement.id')).toBe('theft-title');
    expect(await isBound(page)).toBe(true);
    for (const [label, then] of STEPS) await press(page, label, then);
    expect(await story(page)).toEqual(STORY);
    expect(await sentence(page)).toBe(
      'The refresh tokens of this session, which is bound to a key of the owner. ' +
        'Token 1: used, held by the thief. Token 2: live, held by the owner.',
    );
    expect(await page.locator('#diagram .label').allTextContents()).toEqual([
      'thief copies it',
      '✕ thief has no key',
      'owner gets token 2',
    ]);
    expect(await page.locator('#legend li').allInnerTexts()).toContain(
      '✕ sent without the key: refused, and the session goes on',
    );
    await page.getByText('The thief got nothing, and the owner is still signed in.').waitFor();
    await refresh(page);
    await page.getByText('this device').waitFor();
    expect(await page.evaluate('document.cookie + localStorage.length + sessionStorage.length')).toBe('00');
    await begin(page, 'Start again with a new account');
    expect(await isBound(page)).toBe(true);
  });

  test('has the same key in every tab and after a reload', async () => {
    const page = await visit(demo);
    await begin(page, START_BOUND);
    const other = await openIn(page.context(), demo.url);
    await other.locator('#signed-in').getByText('Signed in as').waitFor();
    await refresh(other);
    await page.reload();
    await refresh(page);
    expect([await isBound(page), await isBound(other)]).toEqual([true, true]);
    await press(page, 'Copy the refresh token', 'The thief copied token');
    await press(page, 'Refresh as the thief', 'dpop_proof_invalid');
    await refresh(other);
  });

  test('can be chosen at any time, and so can the theft of a token without a key', async () => {
    const page = await visit(demo);
    await begin(page, START);
    await press(page, 'Next: the thief copies the token', 'The thief copied token 1.');
    await press(page, 'Next: the thief refreshes', 'got token 2. The server answered 200.');
    await begin(page, WITH_KEY);
    expect(await isBound(page)).toBe(true);
    await press(page, 'Next: the thief copies the token', 'The thief copied token 1.');
    await press(page, 'Next: the thief refreshes', 'dpop_proof_invalid');
    await begin(page, WITHOUT_KEY);
    expect(await isBound(page)).toBe(false);

    // A session without a key gets none in another tab or after a reload.
    const other = await openIn(page.context(), demo.url);
    await refresh(other);
    await page.reload();
    await refresh(page);
    expect([await isBound(page), await isBound(other)]).toEqual([false, false]);
    await press(page, 'Copy the refresh token', 'The thief copied token');
    await press(page, 'Refresh as the thief', 'The server answered 200.');
  });

  describe.each(['light', 'dark'] as const)('in the %s scheme', (colorScheme) => {
    test.each([
      { width: 320, height: 640 },
      { width: 1280, height: 800 },
    ])('fits a screen of $width pixels and is readable', async (viewport) => {
      const page = await visit(demo, { viewport, colorScheme, reducedMotion: 'reduce' });
      await begin(page, START_BOUND);
      for (const [label, then] of STEPS) await press(page, label, then);
      await page.getByText('Both are the same.').waitFor();
      expect(await page.evaluate(LOOK)).toEqual(WELL(colorScheme));
      const [{ right, edge }] = await page.evaluate<[{ right: number; edge: number }]>(WIDTHS);
      expect(right).toBeLessThanOrEqual(edge);
    });
  });
});

/** How far the words of the diagram reach, and where the diagram ends; runs in the browser. */
const WIDTHS = `(() => {
  const edge = document.querySelector('#diagram svg').getBoundingClientRect().right;
  const words = [...document.querySelectorAll('#diagram text')].map((each) => each.getBoundingClientRect().right);
  return [{ right: Math.max(...words), edge }];
})()`;

test.each([
  ['required', START_BOUND, START, true],
  ['off', START, START_BOUND, false],
])('if DPOP is %s, the visitor can choose only the story that the server allows', async (dpop, shown, hidden, has) => {
  const demo = await demoWith({ JWT_ALLAUTH_DPOP: dpop });
  const page = await visit(demo);
  await begin(page, shown);
  expect([await isBound(page), await button(page, hidden).count()]).toEqual([has, 0]);
  expect(await page.locator('#other-kind').isVisible()).toBe(false);
  await button(page, 'Sign out').click();
  const form = page.getByRole('form', { name: 'Sign up', exact: true });
  await form.getByLabel('E-mail').fill(`${dpop}@example.com`);
  await form.getByLabel('Password').fill(PASSWORD);
  await form.getByRole('button').click();
  await page.getByText(`Signed in as ${dpop}@example.com`).waitFor();
  expect(await isBound(page)).toBe(has);
});
