import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { LOOK, WELL } from './demo-look.js';
import type { DemoProcess } from './demo-process.js';
import { useDemos } from './demos.js';

const PASSWORD = 'a sentence that is long enough';
const STAFF_PASSWORD = 'the staff of the demo';
const JWT = /[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/;

const { demoWith, newContext, watch, faults } = useDemos(STAFF_PASSWORD);

async function openIn(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  watch(page);
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) faults.push(`a request to ${request.url()}`);
  });
  page.on('response', async (response) => {
    if (!response.url().includes('/theft/') || !response.headers()['content-type']?.includes('json')) return;
    if (JWT.test(await response.text().catch(() => ''))) faults.push(`a token in ${response.url()}`);
  });
  await page.goto(url);
  return page;
}

async function visit({ url }: DemoProcess, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await newContext(options);
  return openIn(context, url);
}

let accounts = 0;
const newAddress = () => `ada${++accounts}@example.com`;
const form = (page: Page, name: string) => page.getByRole('form', { name, exact: true });
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const outcome = (page: Page, panel: string) => page.locator(`#${panel}-outcome`);

async function enter(page: Page, name: 'Sign in' | 'Sign up', email: string, password = PASSWORD): Promise<void> {
  await form(page, name).getByLabel('E-mail').fill(email);
  await form(page, name).getByLabel('Password').fill(password);
  await form(page, name).getByRole('button').click();
}

/** A new user, on the page of a new browser context. */
async function member(demo: DemoProcess, options: BrowserContextOptions = {}) {
  const page = await visit(demo, options);
  const email = newAddress();
  await enter(page, 'Sign up', email);
  await page.getByText(`Signed in as ${email}`).waitFor();
  return { page, email };
}

/** The rows of the claims by name. */
async function claims(page: Page): Promise<Record<string, string>> {
  const rows = await page.locator('#claims tr').all();
  return Object.fromEntries(
    await Promise.all(
      rows.map(async (row) => [await row.locator('th').innerText(), await row.locator('code').innerText()]),
    ),
  );
}

/** Presses a button of the theft and waits for its result. */
async function press(page: Page, name: string, then: string | RegExp): Promise<void> {
  await button(page, name).click();
  await outcome(page, 'theft').filter({ hasText: then }).waitFor();
}
const COPY = 'Copy the refresh token';
const OWNER = 'Refresh as the owner';
const THIEF = 'Refresh as the thief';
const START = 'Steal a token, step by step';
const RESTART = 'Start again with a new account';

/** The lines of the story, without their reasons. */
const story = (page: Page) => page.locator('#story .what').allInnerTexts();

/** The contents of the diagram: its sentence for screen readers, tokens, arrows by kind and holder, and the end. */
async function diagram(page: Page) {
  const svg = page.locator('#diagram svg.family');
  return {
    label: await svg.getAttribute('aria-label'),
    tokens: await svg.locator('.node').count(),
    arrows: await svg.locator('.arrow').evaluateAll((all) => all.map((each) => each.getAttribute('class'))),
    end: await svg.locator('.death text').allTextContents(),
  };
}

/** The diagram's sentence about two tokens, by their holders. */
const tokensOf = (first: string, second: string) =>
  `The refresh tokens of this session. Token 1: used, held by the ${first}. Token 2: revoked, held by the ${second}.`;
const ENDED = 'The session has ended: a used refresh token came back (replay).';

describe('the page of the demo', () => {
  let demo: DemoProcess;
  beforeAll(async () => {
    demo = await demoWith();
  });

  test('signs a user up, shows the claims and the lifetime of the access token, and refreshes it', async () => {
    const { page } = await member(demo);
    const first = await claims(page);
    expect(first).toEqual({
      permissions: '[]',
      sub: expect.stringMatching(/^[\w-]{36}$/),
      jti: expect.stringMatching(/^[\w-]{36}$/),
      iat: expect.stringMatching(/^\d+$/),
      exp: String(Number(first['iat']) + 60),
      token_type: 'access',
      session: expect.stringMatching(/^[\w-]{36}$/),
      session_iat: first['iat'],
      role: '0',
      email_verified: 'false',
      amr: '["pwd"]',
      auth_time: first['iat'],
    });
    await page
      .locator('#countdown')
      .filter({ hasText: /^0:5\d$/ })
      .waitFor();
    await button(page, 'Refresh now').click();
    await page.getByText('A new token came').waitFor();
    const second = await claims(page);
    expect({ ...second, jti: '', iat: '', exp: '' }).toEqual({ ...first, jti: '', iat: '', exp: '' });
    expect(await outcome(page, 'access').innerText()).toBe(`A new token came: ${second['jti']?.slice(0, 8)}.`);
    expect(second['jti']).not.toBe(first['jti']);
    await page.reload();
    await page.locator('#signed-in').getByText('Signed in as').waitFor();
  });

  test('shows the reason for a refused sign-in next to the field, with its code', async () => {
    const { page, email } = await member(demo);
    await button(page, 'Sign out').click();
    await page.getByText('You are signed out.').waitFor();
    const errors = (name: string) => form(page, name).locator('.field-error').allInnerTexts();
    const invalid = async (name: string, label: string) => [
      await form(page, name).getByLabel(label).getAttribute('aria-invalid'),
      await form(page, name).getByLabel(label).and(page.locator(':focus')).count(),
    ];

    await enter(page, 'Sign up', email);
    await page.getByText('email_already_registered').waitFor();
    expect(await errors('Sign up')).toEqual([
      'An account with this e-mail address exists already. email_already_registered',
    ]);
    expect(await invalid('Sign up', 'E-mail')).toEqual(['true', 1]);

    await enter(page, 'Sign up', 'nobody', 'password');
    await page.getByText('validation_failed').first().waitFor();
    expect(await errors('Sign up')).toEqual([
      'must be an e-mail address; must be an e-mail address that mail can reach validation_failed',
      expect.stringMatching(/common passwords.* validation_failed$/),
    ]);
    await enter(page, 'Sign up', newAddress(), 'password');
    await form(page, 'Sign up').getByText('mail can reach').waitFor({ state: 'detached' });
    await page.getByText('common passwords').waitFor();
    expect(await errors('Sign up')).toEqual([expect.stringMatching(/common passwords.* validation_failed$/)]);

    await enter(page, 'Sign in', email, 'another sentence of some length');
    await page.getByText('incorrect_credentials').waitFor();
    expect(await errors('Sign in')).toEqual(['The credentials are not correct. incorrect_credentials']);
    expect(await invalid('Sign in', 'Password')).toEqual(['true', 1]);

    await enter(page, 'Sign in', email);
    await page.getByText(`Signed in as ${email}`).waitFor();
    expect(await outcome(page, 'account').innerText()).toBe('You are signed in.');
  });

  test("lists the sessions of two browsers; one browser ends the other's, and then all", async () => {
    const { page: one, email } = await member(demo);
    const two = await visit(demo, {
      userAgent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0',
    });
    await enter(two, 'Sign in', email);
    const names = (page: Page) => page.locator('#device-list strong').allInnerTexts();
    await one.locator('#device-list li').nth(1).waitFor();
    await two.locator('#device-list li').nth(1).waitFor();
    expect(await names(one)).toEqual(['Firefox 140.0 on Windows 10', expect.stringMatching(/^Chrome \S+ on Linux$/)]);
    const own = (page: Page) =>
      page.locator('#device-list li').filter({ hasText: 'this device' }).locator('strong').allInnerTexts();
    expect(await own(one)).toEqual([expect.stringMatching(/^Chrome/)]);
    expect(await own(two)).toEqual(['Firefox 140.0 on Windows 10']);

    await button(one, 'Revoke Firefox 140.0 on Windows 10').click();
    await outcome(one, 'devices').filter({ hasText: 'The session has been ended.' }).waitFor();
    await outcome(two, 'account').filter({ hasText: 'The session has been ended. token_not_valid' }).waitFor();
    await one.locator('#device-list li').nth(1).waitFor({ state: 'detached' });
    expect(await form(two, 'Sign in').isVisible()).toBe(true);

    await enter(two, 'Sign in', email);
    await two.locator('#device-list li').nth(1).waitFor();
    await button(two, 'End all others').click();
    await outcome(one, 'account').filter({ hasText: 'token_not_valid' }).waitFor();
    await enter(one, 'Sign in', email);
    await one.locator('#device-list li').nth(1).waitFor();
    await button(one, 'Sign out everywhere').click();
    await one.getByText('You are signed out on every device.').waitFor();
    await outcome(two, 'account').filter({ hasText: 'token_not_valid' }).waitFor();
  });

  test('signs out in every tab', async () => {
    const { page, email } = await member(demo);
    const other = await openIn(page.context(), demo.url);
    await other.getByText(`Signed in as ${email}`).waitFor();
    await button(other, 'Sign out').click();
    await form(page, 'Sign in').waitFor();
    await form(other, 'Sign in').waitFor();
    expect(await page.locator('[data-signed-in]:visible, #theft:visible').count()).toBe(0);
  });

  test('gives the thief the same successor within the grace, and shows it', async () => {
    const { page } = await member(demo);
    await page.getByText('Malware on your machine can copy that cookie.').waitFor();
    await press(page, COPY, 'The thief copied');
    await page.getByText(/^Both hold token \d, which is live/).waitFor();
    await press(page, OWNER, 'and got token');
    await page.getByText(/^The thief still holds token 1\. For \d+ s it gets the same token 2/).waitFor();
    await press(page, THIEF, 'the same token');
    await page.getByText(/^Both hold token \d, which is live/).waitFor();
    expect(await story(page)).toEqual([
      'The owner signed in and got token 1.',
      'The thief copied token 1.',
      'The owner refreshed with token 1 and got token 2.',
      'The thief refreshed with token 1 too, and got the same token 2.',
    ]);
    expect(await diagram(page)).toEqual({
      label: 'The refresh tokens of this session. Token 1: used. Token 2: live, held by the owner and the thief.',
      tokens: 2,
      arrows: ['arrow rotated owner', 'arrow grace thief'],
      end: [],
    });
  });

  test('finds users for staff, and shows to everybody when a change is made and when it takes effect', async () => {
    const { page, email } = await member(demo);
    const staff = await visit(demo);
    await enter(staff, 'Sign in', 'staff@example.com', STAFF_PASSWORD);
    await staff.getByLabel('Part of an e-mail address').fill(email.replace('@', '_'));
    await button(staff, 'Find users').click();
    await staff.getByText('No users found.').waitFor(); // _ is a letter here
    await staff.getByLabel('Part of an e-mail address').fill(email.toUpperCase());
    await staff.keyboard.press('Enter');
    await staff.getByText('Found 1.').waitFor();
    const user = staff.getByRole('group', { name: email });
    await user.getByLabel('Permissions').fill('read, <b onclick="x">write</b>');
    await user.getByLabel('Role').fill('');
    await button(staff, `Save ${email}`).click();
    await outcome(staff, 'staff').filter({ hasText: 'validation_failed' }).waitFor();
    await user.getByLabel('Role').fill('700');
    await button(staff, `Save ${email}`).click();
    const kept = 'read, <b onclick="x">write</b>';
    await staff.getByText(`${email} is changed: role 700, active, permissions ${kept}.`).waitFor();

    await page.getByText('They differ: the next refresh copies the change into the token.').waitFor();
    const permissions = async () => [
      await page.locator('#permissions-token').innerText(),
      await page.locator('#permissions-database').innerText(),
    ];
    expect(await permissions()).toEqual(['none', kept]);
    await button(page, 'Refresh now').click();
    await page.getByText('Both are the same.').waitFor();
    expect(await permissions()).toEqual([kept, kept]);
    expect(await claims(page)).toMatchObject({ role: '700', permissions: JSON.stringify(kept.split(', ')) });
    expect(await page.locator('#staff').isVisible()).toBe(false);

    await user.getByLabel('Active').uncheck();
    await button(staff, `Save ${email}`).click();
    await form(page, 'Sign in').waitFor();
    await enter(page, 'Sign in', email);
    await page.getByText('no_active_account').waitFor();
  });

  test('keeps no token where an injected script could find it', async () => {
    const { page } = await member(demo);
    await press(page, COPY, 'The thief copied');
    await press(page, THIEF, 'and got token');
    await button(page, 'Refresh now').click();
    await page.getByText('A new token came').waitFor();
    const found = (): Promise<string[]> => page.evaluate(FIND_TOKENS);
    expect(await found()).toEqual([]);
    await page.evaluate(`window.kept = { deep: { inside: ['eyJhbGciOiJI.eyJwZXJtaXNz.fnXXmRsBnvYK'] } }`);
    expect(await found()).toEqual(['window.kept.deep.inside.0']); // the search finds tokens
    expect(await page.evaluate('document.cookie + localStorage.length + sessionStorage.length')).toBe('00');
    expect(await page.content()).not.toMatch(JWT);
  });

  test('lets a user sign in and continue with the keyboard alone', async () => {
    const { page: before, email } = await member(demo);
    await button(before, 'Sign out').click();
    const page = await visit(demo);
    await form(page, 'Sign in').waitFor();
    const focused = () =>
      page.evaluate(`(() => {
      const { outlineStyle } = getComputedStyle(document.activeElement);
      return [document.activeElement.id || document.activeElement.textContent.trim(), outlineStyle];
    })()`);
    await page.keyboard.press('Tab');
    expect(await focused()).toEqual(['start-story', 'solid']);
    await page.keyboard.press('Tab');
    expect(await focused()).toEqual(['start-bound', 'solid']);
    await page.keyboard.press('Tab');
    expect(await focused()).toEqual(['sign-in-email', 'solid']);
    await page.keyboard.type(email);
    await page.keyboard.press('Tab');
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press('Tab');
    expect(await focused()).toEqual(['Sign in', 'solid']);
    await page.keyboard.press('Space');
    await page.getByText(`Signed in as ${email}`).waitFor();
    expect(await focused()).toEqual(['account-title', expect.any(String)]);
    await page.locator('#device-list button').waitFor();
    await page.locator('#add-passkey').waitFor();
    const order: unknown[] = [];
    for (let step = 0; step < 8; step++) {
      await page.keyboard.press('Tab');
      order.push(((await focused()) as string[])[0]);
    }
    const account = ['sign-out', 'sign-out-everywhere', 'Connect the local provider', 'passkey-name', 'Add a passkey'];
    expect(order).toEqual([...account, 'Revoke', 'end-others', 'refresh-now']);
    await page.locator('#theft-title').focus();
    order.splice(0);
    for (let step = 0; step < 5; step++) {
      await page.keyboard.press('Tab');
      order.push(((await focused()) as string[])[0]);
    }
    expect(order).toEqual(['next-step', 'other-kind', 'copy-token', 'refresh-owner', 'refresh-thief']);
    await page.keyboard.press('Enter'); // the thief has no token yet
    expect(await outcome(page, 'theft').innerText()).toBe('');
  });

  test('is served with a policy that blocks foreign and inline scripts', async () => {
    const { headers } = await fetch(demo.url);
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    );
    const { page } = await member(demo);
    await page.evaluate(
      `document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = 1' }))`,
    );
    expect(await page.evaluate('window.ran')).toBeUndefined();
    expect(faults).toEqual([expect.stringContaining('Content Security Policy')]);
    faults.splice(0);
  });

  describe.each(['light', 'dark'] as const)('in the %s scheme', (colorScheme) => {
    test.each([
      { width: 320, height: 640 },
      { width: 1280, height: 800 },
    ])('fits a screen of $width pixels and is readable', async (viewport) => {
      const page = await visit(demo, { viewport, colorScheme, reducedMotion: 'reduce' });
      const expected = WELL(colorScheme);
      await form(page, 'Sign in').waitFor();
      expect(await page.evaluate(LOOK)).toEqual(expected);
      await enter(page, 'Sign in', 'nobody', 'x');
      await page.getByText('validation_failed').waitFor();
      expect(await page.evaluate(LOOK)).toEqual(expected);
      await enter(page, 'Sign in', 'staff@example.com', STAFF_PASSWORD);
      await button(page, 'Find users').click();
      await page.locator('#users li').first().waitFor();
      await page.getByText('Both are the same.').waitFor();
      for (const [name, then] of [
        [COPY, 'copied'],
        [OWNER, 'and got token'],
        [THIEF, 'the same token'],
      ] as const)
        await press(page, name, then);
      expect(await page.evaluate(LOOK)).toEqual(expected);
    });
  });
});

describe('a theft that is detected after the grace', () => {
  let demo: DemoProcess;
  beforeAll(async () => {
    demo = await demoWith({ JWT_ALLAUTH_ACCESS_TOKEN_LIFETIME: '5m' });
  });

  /** A new user, on a page with a clock that can be advanced. */
  const memberWithClock = async () => {
    const { page, email } = await member(demo);
    await page.clock.install();
    return { page, email };
  };

  /** Moves the clocks of the server and of the page past the grace period. */
  const endGrace = async (page: Page) => {
    await demo.advance(11);
    await page.clock.fastForward(11_000);
  };

  test("the owner is first: the thief's replay ends the session, and the diagram stays when the owner is refused", async () => {
    const { page } = await memberWithClock();
    await press(page, COPY, 'The thief copied');
    await press(page, OWNER, 'and got token');
    await endGrace(page);
    await page.getByText('The thief holds token 1, which is used').waitFor();
    await press(page, THIEF, 'The server answered 401 refresh_token_reused.');
    const lines = [
      'The owner signed in and got token 1.',
      'The thief copied token 1.',
      'The owner refreshed with token 1 and got token 2.',
      'The thief refreshed with token 1, which was used before.',
      ENDED,
    ];
    const drawn = {
      label: `${tokensOf('thief', 'owner')} The session has ended: replay.`,
      tokens: 2,
      arrows: ['arrow rotated owner'],
      end: ['✕ Session ended for both', 'thief sent used token 1'],
    };
    // The list of devices notices by itself that the session has ended.
    await outcome(page, 'account').filter({ hasText: 'token_not_valid' }).waitFor();
    expect(await story(page)).toEqual([...lines, 'The owner refreshed with token 2 and was refused.']);
    expect(await diagram(page)).toEqual(drawn);
    expect(await button(page, OWNER).getAttribute('aria-disabled')).toBe('true');
    await page.getByText('The session is over for the owner and for the thief.').waitFor();
  });

  test("the thief is first: the owner's replay ends the session, and the owner sees why", async () => {
    const { page, email } = await memberWithClock();
    await press(page, COPY, 'The thief copied');
    await press(page, THIEF, 'and got token');
    await endGrace(page);
    await page.getByText('The owner holds token 1, which is used').waitFor();
    await press(page, OWNER, 'which was used before. The session has ended, for owner and thief.');
    expect(await outcome(page, 'account').innerText()).toBe(
      'A used refresh token came back, so there is a copy of it. The server has ended the session. refresh_token_reused',
    );
    expect(await story(page)).toEqual([
      'The owner signed in and got token 1.',
      'The thief copied token 1.',
      'The thief refreshed with token 1 and got token 2.',
      'The owner refreshed with token 1, which was used before.',
      ENDED,
    ]);
    expect(await diagram(page)).toEqual({
      label: `${tokensOf('owner', 'thief')} The session has ended: replay.`,
      tokens: 2,
      arrows: ['arrow rotated thief'],
      end: ['✕ Session ended for both', 'owner sent used token 1'],
    });
    await enter(page, 'Sign in', email);
    await page.getByText('Malware on your machine can copy that cookie.').waitFor();
    expect(await story(page)).toEqual(['The owner signed in and got token 1.']);
  });

  test('both have the same successor: the second use of it ends the session', async () => {
    const { page } = await memberWithClock();
    await press(page, COPY, 'The thief copied');
    await press(page, OWNER, 'and got token');
    await press(page, THIEF, 'the same token');
    await press(page, THIEF, 'and got token');
    await endGrace(page);
    await page.getByText('The owner holds token 2, which is used').waitFor();
    await press(page, OWNER, 'which was used before');
    expect(await story(page)).toEqual([
      'The owner signed in and got token 1.',
      'The thief copied token 1.',
      'The owner refreshed with token 1 and got token 2.',
      'The thief refreshed with token 1 too, and got the same token 2.',
      'The thief refreshed with token 2 and got token 3.',
      'The owner refreshed with token 2, which was used before.',
      ENDED,
    ]);
    expect(await diagram(page)).toMatchObject({
      tokens: 3,
      arrows: ['arrow rotated owner', 'arrow grace thief', 'arrow rotated thief'],
      end: ['✕ Session ended for both', 'owner sent used token 2'],
    });
  });
});

describe('the first screen', () => {
  let demo: DemoProcess;
  beforeAll(async () => {
    demo = await demoWith();
  });
  const next = (page: Page) => page.locator('#next-step');
  const focusedId = (page: Page) => page.evaluate('document.activeElement.id');

  test('causes no error on the console of a first visitor, and no refusal by the server', async () => {
    const context = await newContext();
    const page = await context.newPage();
    const messages: string[] = [];
    const answers: [string, number][] = [];
    page.on('console', (message) => messages.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => messages.push(error.message));
    page.on('response', (each) => answers.push([new URL(each.url()).pathname, each.status()]));
    await page.goto(demo.url, { waitUntil: 'networkidle' });
    await button(page, START).waitFor();
    expect(messages).toEqual([]);
    expect(answers).toContainEqual(['/auth/refresh', 204]);
    expect(answers.filter(([, status]) => status >= 400)).toEqual([]);
  });

  test('explains the demo in words and in a diagram', async () => {
    const page = await visit(demo, { viewport: { width: 360, height: 740 } });
    await page.getByRole('heading', { level: 1, name: 'jwt-allauth' }).waitFor();
    const intro = page.getByRole('region', { name: 'What happens when a refresh token is stolen?' });
    expect(await intro.getByRole('img').getAttribute('aria-label')).toBe(
      'The refresh tokens of this session. Token 1: used, held by the owner. Token 2: used. ' +
        'Token 3: revoked, held by the thief. The session has ended: replay.',
    );
    expect(await intro.getByRole('listitem').allInnerTexts()).toEqual([
      '▢ live: the only token that the server accepts',
      '▢ used: the server has replaced it with the next one',
      '● the owner refreshes',
      '◆ the thief refreshes',
      '┄ sent again within 10 seconds: the same new token, because an answer can get lost',
      '✕ a used token came back: the session ends for both',
    ]);
    const { y = 0, height = 0 } = (await button(page, START).boundingBox()) ?? {};
    expect(y + height).toBeLessThan(740); // visible on a phone without scrolling
  });

  test('plays the whole story with a throw-away account, by one button and with the keyboard alone', async () => {
    const page = await visit(demo);
    await button(page, START).waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await outcome(page, 'theft').getByText('You are signed in with a throw-away account').waitFor();
    expect(await focusedId(page)).toBe('theft-title');
    expect(await page.locator('#intro').isVisible()).toBe(false);
    await next(page).getByText('the thief copies the token').waitFor();
    await page.keyboard.press('Tab');
    for (const [label, then] of [
      ['Next: the thief copies the token', 'The thief copied token 1.'],
      ['Next: the thief refreshes', 'got token 2. The server answered 200.'],
      ['Next: the thief refreshes again', 'got token 3. The server answered 200.'],
      ['Next: the owner refreshes', 'The session has ended, for owner and thief.'],
    ] as const) {
      await next(page).and(button(page, label)).waitFor();
      await page.keyboard.press('Enter');
      await outcome(page, 'theft').filter({ hasText: then }).waitFor();
      expect(await focusedId(page)).toBe('next-step');
    }
    expect(await page.locator('#story li').allInnerTexts()).toEqual([
      'The owner signed in and got token 1.\nA new sign-in opens a session. The session has one live refresh token.',
      'The thief copied token 1.\nThe server cannot see a copy: both tokens are the same text.',
      'The thief refreshed with token 1 and got token 2.\nThe token was live. A refresh uses it up, and the next token is the live one.',
      'The thief refreshed with token 2 and got token 3.\nThe token was live. A refresh uses it up, and the next token is the live one.',
      'The owner refreshed with token 1, which was used before.\nA used token came back: two people hold it. This is the proof of the theft.',
      `${ENDED}\nThe server cannot know which of the two is the thief. Only the owner can sign in again: the thief has no password.`,
    ]);
    expect((await diagram(page)).label).toContain(
      'Token 3: revoked, held by the thief. The session has ended: replay.',
    );

    await next(page).and(button(page, 'Start again with a new account')).waitFor();
    await page.keyboard.press('Enter');
    await outcome(page, 'theft').getByText('You are signed in with a throw-away account').waitFor();
    await next(page).and(button(page, 'Next: the thief copies the token')).waitFor();
    expect(await story(page)).toEqual(['The owner signed in and got token 1.']);
    expect(await focusedId(page)).toBe('next-step');
    await button(page, 'Sign out').click();
    await button(page, START).waitFor();
  });

  test('leads to the end of the story by the next button, also after other buttons, and then restarts the story', async () => {
    const page = await visit(demo);
    await button(page, START).click();
    for (const name of [COPY, OWNER, THIEF]) await press(page, name, name === COPY ? 'copied' : /(and|same) .*token 2/);
    for (let steps = 0; (await next(page).innerText()) !== RESTART; steps++) {
      expect(steps).toBeLessThan(8);
      const before = await page.locator('#story li').count();
      await next(page).click();
      await page.locator('#story li').nth(before).waitFor();
      await page.waitForTimeout(300); // the label changes as time passes
    }
    await next(page).click();
    await outcome(page, 'theft').getByText('You are signed in with a throw-away account').waitFor();
    await next(page).and(button(page, 'Next: the thief copies the token')).waitFor();
    expect(await story(page)).toEqual(['The owner signed in and got token 1.']);
  });
});

describe('without a grace', () => {
  let demo: DemoProcess;
  beforeAll(async () => {
    demo = await demoWith({ JWT_ALLAUTH_REFRESH_REUSE_GRACE: '0s' });
  });

  test.each([
    ['owner', OWNER, 'thief', THIEF],
    ['thief', THIEF, 'owner', OWNER],
  ])('the first replay ends the session if the %s refreshed first', async (first, pressFirst, second, pressSecond) => {
    const { page } = await member(demo);
    await press(page, COPY, 'The thief copied');
    await press(page, pressFirst, 'and got token');
    await page.getByText(`The ${second} holds token 1, which is used`).waitFor();
    await press(page, pressSecond, 'which was used before');
    expect((await story(page)).slice(0, 5)).toEqual([
      'The owner signed in and got token 1.',
      'The thief copied token 1.',
      `The ${first} refreshed with token 1 and got token 2.`,
      `The ${second} refreshed with token 1, which was used before.`,
      ENDED,
    ]);
    expect(await diagram(page)).toEqual({
      label: `${tokensOf(second, first)} The session has ended: replay.`,
      tokens: 2,
      arrows: [`arrow rotated ${first}`],
      end: ['✕ Session ended for both', `${second} sent used token 1`],
    });
  });
});

test('under mandatory verification the page asks for the mailed link first', async () => {
  const demo = await demoWith({ JWT_ALLAUTH_EMAIL_VERIFICATION: 'mandatory' });
  const page = await visit(demo);
  await page.getByText('Sign up below to start').waitFor();
  expect(await button(page, START).isVisible()).toBe(false);
  const email = newAddress();
  await enter(page, 'Sign up', email);
  await page.getByText('A mail with a link is on its way').waitFor();
  await enter(page, 'Sign in', email);
  await page.getByText('email_not_verified').waitFor();
  await button(page, 'Send the link again').click();
  await page.getByText('If this address has to be confirmed, a new link is on its way.').waitFor();
  const links = () => [...demo.output().matchAll(/http\S+\/verification\/\S+/g)].map(([link]) => link);
  await expect.poll(() => links().length).toBe(2);
  expect(await (await fetch(links()[1] ?? '')).text()).toContain('Your address is confirmed');
  await enter(page, 'Sign in', email);
  await page.getByText(`Signed in as ${email} address confirmed`).waitFor();
});

test('if tokens travel in bodies, everything but the theft works', async () => {
  const demo = await demoWith({ JWT_ALLAUTH_REFRESH_TOKEN_AS_COOKIE: 'false' });
  const { page } = await member(demo);
  await button(page, 'Refresh now').click();
  await page.getByText('A new token came').waitFor();
  await page.getByText('this device').waitFor();
  expect(await page.locator('#theft-intro').innerText()).toBe(
    'The theft is not shown here: it needs the refresh token in a cookie (REFRESH_TOKEN_AS_COOKIE).',
  );
  expect(await button(page, COPY).isVisible()).toBe(false);
  expect(await page.evaluate(FIND_TOKENS)).toEqual([]);
  expect((await fetch(`${demo.url}/theft/family`)).status).toBe(404);
  await button(page, 'Sign out').click();
  await page.getByText('You are signed out.').waitFor();
});

test('outside of development the demo has no thief', async () => {
  const demo = await demoWith({ NODE_ENV: 'test' });
  const visitor = await visit(demo);
  await visitor.getByText('The theft is not shown here: it needs NODE_ENV=development.').first().waitFor();
  expect(await button(visitor, START).isVisible()).toBe(false);
  const { page } = await member(demo);
  expect(await page.locator('#theft-intro').innerText()).toBe(
    'The theft is not shown here: it needs NODE_ENV=development.',
  );
  for (const [method, path] of [
    ['GET', 'family'],
    ['POST', 'copy'],
    ['POST', 'refresh'],
  ])
    expect((await fetch(`${demo.url}/theft/${path}`, { method })).status).toBe(404);
});

test('the thief answers only callers with an access token, and takes no cookie of another session', async () => {
  const demo = await demoWith();
  const signUp = async () => {
    const response = await fetch(`${demo.url}/auth/registration`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ email: newAddress(), password: PASSWORD }),
    });
    const [cookie = ''] = response.headers.getSetCookie();
    const { access } = (await response.json()) as { access: string };
    return { access, cookie: cookie.split(';')[0] ?? '' };
  };
  const [ada, eve] = [await signUp(), await signUp()];
  const ask = async (method: string, path: string, headers: Record<string, string>) => {
    const response = await fetch(`${demo.url}/theft/${path}`, { method, headers });
    const { code } = (await response.json()) as { code?: string };
    return [response.status, code];
  };
  for (const [method, path] of [
    ['GET', 'family'],
    ['POST', 'copy'],
    ['POST', 'refresh'],
  ] as const)
    expect(await ask(method, path, { Cookie: ada.cookie })).toEqual([401, 'not_authenticated']);
  const bearer = { Authorization: `Bearer ${eve.access}` };
  expect(await ask('POST', 'copy', { ...bearer, Cookie: ada.cookie })).toEqual([409, 'conflict']);
  expect(await ask('POST', 'copy', bearer)).toEqual([409, 'conflict']);
  expect(await ask('POST', 'refresh', bearer)).toEqual([409, 'conflict']);
  expect(await ask('POST', 'copy', { ...bearer, Cookie: eve.cookie })).toEqual([200, undefined]);
});

/** The places on the page where something looks like a token; runs in the browser. */
const FIND_TOKENS = `(() => {
  const found = [];
  const seen = new Set();
  const look = (value, path, depth) => {
    if (typeof value === 'string' && /[\\w-]{8,}\\.[\\w-]{8,}\\.[\\w-]{8,}/.test(value)) found.push(path);
    if (value === null || typeof value !== 'object' || seen.has(value) || depth > 4) return;
    if (value instanceof Node || value instanceof StyleSheet) return;
    seen.add(value);
    for (const name of Object.getOwnPropertyNames(value)) {
      let inner;
      try { inner = value[name]; } catch { continue; }
      look(inner, path + '.' + name, depth + 1);
    }
  };
  look(document.cookie, 'cookie', 0);
  look({ ...localStorage }, 'localStorage', 0);
  look({ ...sessionStorage }, 'sessionStorage', 0);
  for (const name of Object.getOwnPropertyNames(window)) {
    let value;
    try { value = window[name]; } catch { continue; }
    if (value !== window) look(value, 'window.' + name, 1);
  }
  return found;
})()`;
