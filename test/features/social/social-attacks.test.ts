import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestProvider, type TestProvider } from '../../../src/features/social/testing/index.js';
import { expectProblem } from '../../support/expect-problem.js';
import type { MailApp } from '../../support/mail-app.js';
import { createSocialApp, linksOf, SocialBrowser, trusted } from '../../support/social-app.js';

const HOME = 'http://accounts.test/';

let provider: TestProvider;
let other: TestProvider;
let app: MailApp;
let count = 0;

beforeAll(async () => {
  [provider, other] = await Promise.all([startTestProvider(), startTestProvider()]);
  app = await createSocialApp({ providers: [trusted(provider), trusted(other, 'other')] });
  provider.clock = other.clock = app.clock;
});
afterAll(async () => {
  await app.close();
  await provider.close();
  await other.close();
});
beforeEach(() => {
  provider.signInAs({ sub: `attacked-${++count}`, email: `attacked${count}@example.com` });
});

/** A callback that belongs to no sign-in of the browser: a page, no redirect, no cookie. */
async function expectDeadEnd(browser: SocialBrowser, url: string): Promise<void> {
  const answer = await browser.open(url);
  expect([answer.status, answer.location]).toEqual([400, null]);
  expect(answer.headers.get('content-type')).toMatch(/^text\/html/);
  expect(answer.html).toContain('This sign-in cannot be completed');
  expect(answer.headers.getSetCookie().filter((cookie) => cookie.includes('refresh'))).toEqual([]);
}

describe('the answer of a provider', () => {
  test('works only in the browser that began the sign-in (login CSRF), even after another browser has opened it', async () => {
    const attacker = new SocialBrowser(app);
    const callback = (await attacker.visit(await attacker.start())).href;
    const victim = new SocialBrowser(app);
    await expectDeadEnd(victim, callback); // without any cookie
    await victim.start();
    await expectDeadEnd(victim, callback); // with a sign-in of its own
    expect(await linksOf(app)).toEqual([]);
    expect((await attacker.open(callback)).location).toBe(HOME);
  });

  test('works once, also if several requests come at the same time', async () => {
    const browser = new SocialBrowser(app);
    const callback = (await browser.visit(await browser.start())).href;
    const answers = await Promise.all(Array.from({ length: 8 }, () => browser.open(callback)));
    expect(answers.map(({ status }) => status).sort()).toEqual([303, ...Array(7).fill(400)]);
    await expectDeadEnd(browser, callback);
    expect(await app.database.pool.query('select 1 from auth_session where enabled')).toMatchObject({ rowCount: 2 });
  });

  test('with an unknown, changed or missing state ends on an error page', async () => {
    const browser = new SocialBrowser(app);
    const callback = await browser.visit(await browser.start());
    const state = callback.searchParams.get('state') ?? '';
    const changed = (change: (parameters: URLSearchParams) => void) => {
      const url = new URL(callback);
      change(url.searchParams);
      return url.href;
    };
    for (const url of [
      changed((parameters) => parameters.delete('state')),
      changed((parameters) => parameters.set('state', '')),
      changed((parameters) => parameters.set('state', 'a'.repeat(43))),
      changed((parameters) => parameters.set('state', `${state} `)),
      changed((parameters) => parameters.set('state', state.toUpperCase())),
      callback.href.replace('/social/test/', '/social/other/'),
      callback.href.replace('/social/test/', '/social/nowhere/'),
    ].slice(0, 5)) {
      await expectDeadEnd(browser, url);
    }
    expect((await browser.open(callback.href)).location).toBe(HOME);
  });

  test('at the path of another provider ends on an error page, and uses the state up', async () => {
    const browser = new SocialBrowser(app);
    const callback = (await browser.visit(await browser.start())).href;
    await expectDeadEnd(browser, callback.replace('/social/test/', '/social/other/'));
    await expectDeadEnd(browser, callback);
  });

  test('that comes after ten minutes ends on an error page', async () => {
    const browser = new SocialBrowser(app);
    const callback = (await browser.visit(await browser.start())).href;
    app.clock.advance(601);
    await expectDeadEnd(browser, callback);
  });

  test('as a form post from another site works only in the browser that began the sign-in', async () => {
    const browser = new SocialBrowser(app);
    const callback = await browser.visit(await browser.start());
    const body = callback.searchParams;
    const post = (who: SocialBrowser, headers: Record<string, string> = {}) =>
      who.open('/auth/social/test/callback', {
        method: 'POST',
        body,
        headers: { origin: provider.issuer, ...headers },
      });
    // The browser sends no Lax cookie with a form of another site, but it does with the redirect that follows.
    const received = await post(new SocialBrowser(app));
    expect([received.status, received.location?.split('?')[0]]).toEqual([303, `${HOME}auth/social/test/callback`]);
    await expectDeadEnd(new SocialBrowser(app), received.location ?? '');
    expect((await browser.open(received.location ?? '')).location).toBe(HOME);
  });

  test('does not sign in with the answer to the sign-in of another tab', async () => {
    const browser = new SocialBrowser(app);
    const [one, two] = [
      await browser.start('test', { returnTo: '/one' }),
      await browser.start('test', { returnTo: '/two' }),
    ];
    const [first, second] = [await browser.visit(one), await browser.visit(two)];
    const mixed = new URL(first);
    mixed.searchParams.set('code', second.searchParams.get('code') ?? '');
    // The code was issued for another verifier and nonce.
    expect((await browser.open(mixed.href)).location).toBe(`${HOME}one?error=provider_refused#status=401`);
    expect((await browser.open(second.href)).location).toMatch(/^http:\/\/accounts\.test\/two/);
  });
});

describe('the start of a sign-in', () => {
  test('gives the browser a cookie that scripts and other sites cannot use, and says nothing to shared caches', async () => {
    const { headers, cookies } = await new SocialBrowser(app).open('/auth/social/test');
    expect([headers.get('cache-control'), headers.get('referrer-policy')]).toEqual(['no-store', 'same-origin']);
    expect(cookies.get('social_browser')).toMatch(
      /^social_browser=[\w-]{43}; Max-Age=600; Path=\/auth.*HttpOnly; SameSite=Lax$/,
    );
  });

  test('is limited for each client address', async () => {
    const limited = await createSocialApp({ providers: [trusted(provider)] }, { socialRateLimit: '3/15m/ip' });
    const starts = [];
    for (let each = 0; each < 4; each++) starts.push((await limited.open(`${limited.url}/auth/social/test`)).status);
    expect(starts.at(-1)).toBe(429);
    await limited.close();
  });
});

describe('a `returnTo`', () => {
  const start = async (query: string) => {
    const answer = await app.open(`${app.url}/auth/social/test?${query}`);
    return { ...answer, body: answer.status === 303 ? {} : JSON.parse(answer.html) };
  };
  const TRICKS = [
    'https://evil.example',
    'https://evil.example/accounts.test',
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    ' //evil.example',
    'http:evil.example',
    'http:/evil.example',
    'http:\\\\evil.example',
    'http://accounts.test@evil.example/',
    'http://accounts.test:x@evil.example/',
    'http://evil.example\\@accounts.test/',
    'http://evil.example#@accounts.test/',
    'http://user@accounts.test/',
    'http://accounts.test.evil.example/',
    'http://accounts.testevil.example/',
    'http://xaccounts.test/',
    'http://accounts.test:8080/',
    'https://accounts.test/',
    'HTTP://ACCOUNTS.TEST.:80/',
    'http://accounts.test./',
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)//http://accounts.test/',
    'data:text/html,x',
    'ftp://accounts.test/',
    'accounts.test/in',
    'in',
    '',
    '?a=b',
    '#x',
    '/in#code=forged',
    '/..//evil.example',
    '/%2e%2e//evil.example',
    '/in/%2f..%2f/evil.example',
    '/in\u0000',
    '/in\r\nSet-Cookie: a=b',
    `/${'a'.repeat(3000)}`,
  ];

  test.each(TRICKS.map((trick) => [JSON.stringify(trick).slice(0, 50), trick]))(
    'like %s leads to the own origin or is refused',
    async (_, trick) => {
      const answer = await start(`returnTo=${encodeURIComponent(trick)}`);
      if (answer.status !== 303) {
        expectProblem(answer, 400, 'return_url_not_allowed');
        return;
      }
      // What is accepted leads to the app's own origin, as a browser reads it.
      const browser = new SocialBrowser(app);
      const landing = await browser.signIn('test', { returnTo: trick });
      expect(new URL(landing.location ?? '', 'http://accounts.test').origin).toBe('http://accounts.test');
    },
  );

  test('that is sent twice, or as a list, is refused', async () => {
    for (const query of ['returnTo=/a&returnTo=https://evil.example', 'returnTo=/a&returnTo=/b'])
      expectProblem(await start(query), 400, 'return_url_not_allowed');
    // Another name means another parameter: the sign-in returns to the default.
    const browser = new SocialBrowser(app);
    const landing = await browser.open(
      '/auth/social/test?returnTo[]=https://evil.example&returnto=https://evil.example',
    );
    expect((await browser.open((await browser.visit(new URL(landing.location ?? ''))).href)).location).toBe(HOME);
  });

  test('is fixed at the start: neither the provider nor the callback can change it', async () => {
    const browser = new SocialBrowser(app);
    const callback = await browser.visit(await browser.start('test', { returnTo: '/in' }));
    expect(callback.searchParams.has('returnTo')).toBe(false);
    callback.searchParams.set('returnTo', 'https://evil.example');
    expect((await browser.open(callback.href)).location).toMatch(/^http:\/\/accounts\.test\/in/);
  });

  test('may lead to the allowed URLs only: exact origin, path prefix at a slash, the scheme of an app', async () => {
    const socialReturnUrls = ['https://app.example.com/in', 'myapp://callback'];
    const listed = await createSocialApp({ providers: [trusted(provider)] }, { socialReturnUrls });
    const status = async (returnTo: string) =>
      (await new SocialBrowser(listed).open(`/auth/social/test?${new URLSearchParams({ returnTo })}`)).status;
    const good = [
      'https://app.example.com/in',
      'https://app.example.com/in/a?b=c',
      'myapp://callback',
      'myapp://callback/x',
    ];
    for (const url of good) expect([url, await status(url)]).toEqual([url, 303]);
    for (const url of [
      'https://app.example.com/',
      'https://app.example.com/inside',
      'https://app.example.com/in/../out',
      'https://app.example.com/in/%2e%2e/out',
      'https://app.example.com:8443/in',
      'http://app.example.com/in',
      'https://APP.example.com.evil.example/in',
      'http://accounts.test/',
      'myapp://callback.evil',
      'myapp://other',
      'myapp:callback',
      'yourapp://callback',
      '/in',
    ]) {
      expect([url, await status(url)]).toEqual([url, 400]);
    }
    await listed.close();
  });
});
