import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SettingsInput } from '../../src/index.js';
import { CookieJar } from '../support/cookie-jar.js';
import { expectProblem } from '../support/expect-problem.js';
import { claimsOf } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { type Answer, PASSWORD } from '../support/test-client.js';

const CREDENTIALS = { email: 'ada@example.com', password: PASSWORD };

/** A browser that talks to the server that is currently deployed. */
class Browser {
  readonly jar = new CookieJar();

  async post(app: TestApp, path: string, body?: object): Promise<Answer> {
    const answer = await app.client().send('POST', path, body, this.jar.headerFor(path));
    this.jar.take(answer.headers);
    return answer;
  }
}

/** The settings before and after; the later ones contain nothing that an operator cannot know. */
const changes: [title: string, before: SettingsInput, after: SettingsInput][] = [
  ['a DOMAIN is added', {}, { refreshTokenCookieDomain: 'example.com' }],
  [
    'a DOMAIN is taken away',
    { refreshTokenCookieDomain: 'example.com' },
    { olderCookieDomains: ['example.com', 'www.example.com'] },
  ],
  [
    'a DOMAIN is replaced',
    { refreshTokenCookieDomain: 'app.example.com' },
    { refreshTokenCookieDomain: 'example.com', olderCookieDomains: '.app.example.com'.slice(1) },
  ],
  ['a PATH is made longer', {}, { refreshTokenCookiePath: '/auth', olderCookiePaths: ['/'] }],
  ['a PATH is made shorter', { refreshTokenCookiePath: '/auth' }, { olderCookiePaths: '/auth' }],
  [
    'both are changed',
    { refreshTokenCookiePath: '/auth' },
    { refreshTokenCookieDomain: 'example.com', olderCookiePaths: '/auth,/old' },
  ],
  [
    'both are changed in production',
    { development: false, refreshTokenCookiePath: '/auth' },
    { development: false, refreshTokenCookieDomain: 'example.com', olderCookiePaths: '/auth' },
  ],
  [
    'a DOMAIN is added in production',
    { development: false },
    { development: false, refreshTokenCookieDomain: 'a.test' },
  ],
  [
    'the cookie is partitioned',
    { development: false, refreshTokenCookieSameSite: 'none' },
    { development: false, refreshTokenCookieSameSite: 'none', refreshTokenCookiePartitioned: true },
  ],
  [
    'the cookie is not partitioned any more',
    { development: false, refreshTokenCookieSameSite: 'none', refreshTokenCookiePartitioned: true },
    { development: false, refreshTokenCookieSameSite: 'none' },
  ],
];

describe.each(changes)('where %s', (_title, before, after) => {
  let old: TestApp;
  let app: TestApp;
  let browser: Browser;
  beforeAll(async () => {
    old = await createTestApp({ settings: before });
    app = await createTestApp({ settings: after, database: old.database });
  });
  beforeEach(async () => {
    await old.database.pool.query('delete from app_user');
    app.events.length = 0;
    browser = new Browser();
    expect((await browser.post(old, '/auth/registration', CREDENTIALS)).status).toBe(201);
  });
  afterAll(async () => {
    await app.close();
    await old.close();
  });

  test('signed-in users stay signed in, with one cookie from then on', async () => {
    for (let times = 0; times < 3; times++) {
      app.clock.advance(60);
      expect((await browser.post(app, '/auth/refresh')).status).toBe(200);
      expect(browser.jar.all).toHaveLength(1);
    }
    expect(await app.liveSessions()).toBe(1);
    expect(app.events).toEqual([]);
  });

  test('a sign-in leaves one cookie, which the sign-out removes', async () => {
    expect((await browser.post(app, '/auth/login', CREDENTIALS)).status).toBe(200);
    expect(browser.jar.all).toHaveLength(1);
    expect((await browser.post(app, '/auth/refresh')).status).toBe(200);
    expect((await browser.post(app, '/auth/logout')).status).toBe(204);
    expect(browser.jar.all).toEqual([]);
  });

  test('a sign-out removes the older cookie and ends its session', async () => {
    expect((await browser.post(app, '/auth/logout')).status).toBe(204);
    expect(browser.jar.all).toEqual([]);
    expect(await app.liveSessions()).toBe(0);
  });

  test('a useless cookie is removed as well, at a sign-out but not at a refresh', async () => {
    await app.database.pool.query('delete from auth_session');
    expectProblem(await browser.post(app, '/auth/refresh'), 401, 'token_not_valid');
    expect(browser.jar.all).toHaveLength(1);
    expect((await browser.post(app, '/auth/logout')).status).toBe(204);
    expect(browser.jar.all).toEqual([]);
  });
});

describe('of two cookies of one name', () => {
  let app: TestApp;
  let other: TestApp;
  beforeAll(async () => {
    app = await createTestApp();
    other = await createTestApp({ settings: { secretKey: 'the secret of a neighbour on the same machine' } });
  });
  beforeEach(() => {
    app.events.length = 0;
  });
  afterAll(async () => {
    await app.close();
    await other.close();
  });

  const send = (path: string, ...tokens: string[]) =>
    app.client().send('POST', path, undefined, { cookie: tokens.map((token) => `refresh_token=${token}`).join('; ') });

  /** The tokens of one session, the live one last, after the grace. */
  async function generations(): Promise<{ used: string[]; live: string }> {
    const client = await app.signedUp();
    const used: string[] = [];
    for (let times = 0; times < 2; times++) {
      used.push(client.refreshToken);
      expect((await client.refresh()).status).toBe(200);
      app.clock.advance(11);
    }
    return { used, live: client.refreshToken };
  }

  test.each(['first', 'last'])(
    'the live one counts if it comes %s, and a used one next to it is no theft',
    async (at) => {
      const { used, live } = await generations();
      const tokens = at === 'first' ? [live, ...used] : [...used, live];
      const answer = await send('/auth/refresh', ...tokens);
      expect(answer.status).toBe(200);
      expect(claimsOf(answer.cookie?.value ?? '').session).toBe(claimsOf(live).session);
      expect(app.events).toEqual([]);
      const again = await send('/auth/refresh', ...tokens); // the retry after a lost answer
      expect(again.status).toBe(200);
      expect(claimsOf(again.cookie?.value ?? '').jti).toBe(claimsOf(answer.cookie?.value ?? '').jti);
      expect(app.events.map(({ reuse }) => reuse)).toEqual(['lost-response']);
    },
  );

  test('only used ones are a theft, whatever other cookies are there', async () => {
    const { used } = await generations();
    const ended = await app.signedUp();
    await ended.logout();
    const stray = (await other.signedUp()).refreshToken;
    const before = await app.liveSessions();
    expectProblem(await send('/auth/refresh', stray, ended.refreshToken, ...used), 401, 'refresh_token_reused');
    expect(app.events.map(({ reuse }) => reuse)).toEqual(['replay']);
    expect(await app.liveSessions()).toBe(before - 1);
  });

  test('that of another app has no effect, alone or before the right one', async () => {
    const { live } = await generations();
    const stray = (await other.signedUp()).refreshToken;
    const before = await app.liveSessions();
    expectProblem(await send('/auth/refresh', stray), 401, 'token_not_valid');
    expect((await send('/auth/refresh', stray, stray, live)).status).toBe(200);
    expect(app.events).toEqual([]);
    expect(await app.liveSessions()).toBe(before);
  });

  test('a sign-out ends the sessions of all of them that belong to this app, and no other', async () => {
    const [one, two] = [await app.signedUp(), await app.signedUp()];
    const stray = (await other.signedUp()).refreshToken;
    const before = await app.liveSessions();
    expect((await send('/auth/logout', stray, one.refreshToken, two.refreshToken)).status).toBe(204);
    expect(await app.liveSessions()).toBe(before - 2);
    expect(await other.liveSessions()).toBe(3);
  });

  test('the first four are checked, not counting values without the form of a token', async () => {
    const { live } = await generations();
    const strays = await Promise.all(Array.from({ length: 4 }, async () => (await other.signedUp()).refreshToken));
    const garbage = Array.from({ length: 20 }, (_, index) => `garbage${index}`);
    expectProblem(await send('/auth/refresh', ...strays, live), 401, 'token_not_valid');
    const answer = await send('/auth/refresh', ...garbage, ...strays.slice(1), ...strays.slice(1), live);
    expect(answer.status).toBe(200);
    expect(app.events).toEqual([]);
  });
});

test('an Express that drops Partitioned causes one warning', async () => {
  const [, , settings] = changes.find(([title]) => title === 'the cookie is partitioned') ?? [];
  const app = await createTestApp({
    settings,
    configure: (express) => {
      express.use((_request, response, next) => {
        const cookie = response.cookie.bind(response);
        response.cookie = ((
          name: string,
          value: string,
          { partitioned: _, ...known }: object & { partitioned?: boolean },
        ) => cookie(name, value, known)) as never;
        next();
      });
    },
  });
  for (const email of ['a@example.com', 'b@example.com']) expect((await app.signedUp(email)).access).toBeTruthy();
  expect(app.log).toMatchObject([{ level: 'warn', message: expect.stringContaining('is not partitioned') }]);
  await app.close();
});
