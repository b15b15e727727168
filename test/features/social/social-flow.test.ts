import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { followSignIn, startTestProvider, type TestProvider } from '../../../src/features/social/testing/index.js';
import { expectProblem } from '../../support/expect-problem.js';
import type { MailApp } from '../../support/mail-app.js';
import { createPerson } from '../../support/person.js';
import { claimsOf } from '../../support/race.js';
import { secrets } from '../../support/secrets.js';
import { createSocialApp, SocialBrowser, trusted } from '../../support/social-app.js';

const HOME = 'http://accounts.test/';

let provider: TestProvider;
const apps = new Map<string, MailApp>();
let count = 0;

beforeAll(async () => {
  provider = await startTestProvider({ name: 'Example' });
  const providers = [trusted(provider, 'test', { trustMfa: true }), trusted(provider, 'doubted')];
  for (const mode of ['cookie', 'body', 'both'] as const) {
    const events: [string, unknown][] = [];
    const app = await createSocialApp({ providers, keepTokens: true }, { refreshTokenTransport: mode });
    for (const name of ['user.registered', 'provider.connected', 'provider.disconnected'] as const)
      app.auth.events.on(name, ({ at: _, ...event }) => events.push([name, event]));
    apps.set(mode, Object.assign(app, { seen: events }));
  }
});
afterAll(async () => {
  for (const app of apps.values()) await app.close();
  await provider.close();
});
const appOf = (mode: string) => apps.get(mode) as MailApp & { readonly seen: [string, unknown][] };

function newPerson(more: object = {}) {
  const user = { sub: `flow-${++count}`, email: `flow${count}@example.com`, name: 'Ada Lovelace', ...more };
  provider.signInAs(user);
  return user;
}

describe.each(['cookie', 'body'])('a sign-in with a provider, with the refresh token in a %s', (mode) => {
  test('lists the providers', async () => {
    const { status, body } = await appOf(mode).client().send('GET', '/auth/social/providers');
    const expected = [
      { id: 'test', name: 'Example' },
      { id: 'doubted', name: 'Example' },
    ];
    expect([status, body]).toEqual([200, expected]);
  });

  test('goes to the provider and back, and opens one session with `fed`', async () => {
    const app = appOf(mode);
    const { email } = newPerson();
    const browser = new SocialBrowser(app);
    const at = await browser.start('test', { returnTo: '/welcome?tab=2' });
    expect(at.origin).toBe(provider.issuer);
    const landing = await browser.open((await browser.visit(at)).href);
    expect([landing.status, landing.headers.get('cache-control')]).toEqual([303, 'no-store']);
    expect(landing.location?.split('#')[0]).toBe(`${HOME}welcome?tab=2`);
    const names = browser.jar.all.map(({ name }) => name);
    expect([names.includes('refresh_token'), Object.keys(landing.fragment)]).toEqual(
      mode === 'cookie' ? [true, []] : [false, ['code']],
    );
    const client = await browser.client(landing);
    const { amr, auth_time, sub } = claimsOf(client.access);
    expect([amr, auth_time]).toEqual([['fed'], Math.floor(app.clock.now() / 1000)]);
    const { body } = await client.get('/auth/user');
    expect(body).toMatchObject({ id: sub, email, firstName: 'Ada', lastName: 'Lovelace' });
    expect((await client.get('/auth/sessions')).body).toHaveLength(1);
    expect(app.seen.filter(([, event]) => (event as { user: string }).user === sub)).toEqual([
      ['user.registered', { user: sub, method: 'test' }],
      ['provider.connected', { user: sub, provider: 'test' }],
    ]);
    expect((await client.refresh()).status).toBe(200);
  });

  test('refuses an unknown provider and a returnTo that is not allowed', async () => {
    const app = appOf(mode);
    expectProblem(await app.client().send('GET', '/auth/social/nowhere'), 404, 'provider_not_found');
    const bad = await app.client().send('GET', '/auth/social/test?returnTo=https://evil.example');
    expectProblem(bad, 400, 'return_url_not_allowed');
  });

  test('with an ID token of a native app works once, for the right nonce and audience', async () => {
    const app = appOf(mode);
    const user = newPerson();
    const native = (idToken: string, nonce = 'n', id = 'test') =>
      app.client().send('POST', `/auth/social/${id}/token`, { idToken, nonce });
    const idToken = provider.idToken({ nonce: 'n' });
    secrets.add(idToken);
    expectProblem(await native(idToken, 'other'), 401, 'provider_refused');
    expectProblem(await native(provider.idToken({ nonce: 'n', aud: 'other' })), 401, 'provider_refused');
    expectProblem(await native(provider.idToken({ nonce: 'n', exp: 1 })), 401, 'provider_refused');
    expectProblem(await native(provider.idToken({})), 401, 'provider_refused');
    expectProblem(await native('no token'), 401, 'provider_refused');
    expectProblem(await native(idToken, 'n', 'nowhere'), 404, 'provider_not_found');
    const answer = await native(idToken);
    expect(answer.status).toBe(200);
    expect([mode === 'body', Boolean(answer.body.refresh)]).toEqual([Boolean(answer.body.refresh), mode === 'body']);
    expect(claimsOf(answer.body.access).amr).toEqual(['fed']);
    expectProblem(await native(idToken), 401, 'provider_refused');
    const { rows } = await app.database.pool.query('select 1 from app_user where email = $1', [user.email]);
    expect(rows).toHaveLength(1);
  });
});

describe('a code for tokens in bodies', () => {
  const exchange = (code: unknown) => appOf('body').client().send('POST', '/auth/social/exchange', { code });
  async function newCode() {
    const { email } = newPerson();
    const { fragment } = await new SocialBrowser(appOf('body')).signIn();
    return { code: fragment['code'] ?? '', email };
  }

  test('works once, and for one minute', async () => {
    const { code } = await newCode();
    const answers = await Promise.all([exchange(code), exchange(code), exchange(code)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401]);
    const { code: late } = await newCode();
    appOf('body').clock.advance(61); // the provider's clock stands still, and may differ a little
    expectProblem(await exchange(late), 401, 'token_not_valid');
    for (const wrong of ['', 'x', 'a'.repeat(43)]) expect((await exchange(wrong)).status).toBeGreaterThanOrEqual(400);
    expectProblem(await exchange(undefined), 400, 'validation_failed');
  });

  test('is void once the user has been deactivated, or its credentials have changed', async () => {
    const app = appOf('body');
    for (const change of [
      'update app_user set is_active = false where email = $1',
      `insert into auth_account (user_id, state, credential_epoch) select id, 'in_use', 1 from app_user where email = $1
        on conflict (user_id) do update set credential_epoch = auth_account.credential_epoch + 1`,
    ]) {
      const { code, email } = await newCode();
      await app.database.pool.query(change, [email]);
      expect((await exchange(code)).status).toBe(401);
      const sql = 'select 1 from auth_session s join app_user u on u.id = s.user_id where u.email = $1';
      expect((await app.database.pool.query(sql, [email])).rowCount).toBe(0);
    }
  });

  test('is sent if the request asks for it and both transports are allowed', async () => {
    const app = appOf('both');
    newPerson();
    const byCookie = new SocialBrowser(app);
    expect(Object.keys((await byCookie.signIn()).fragment)).toEqual([]);
    const byBody = new SocialBrowser(app);
    const landing = await byBody.signIn('test', { transport: 'body' });
    expect(Object.keys(landing.fragment)).toEqual(['code']);
    const client = await byBody.client(landing);
    expect(client.refreshToken.split('.')).toHaveLength(3);
    expect((await app.client().send('GET', '/auth/social/test?transport=pigeon')).status).toBe(400);
  });
});

describe('a page of another origin', () => {
  test('gets the status of a sign-in by cookie, because its browser may refuse the cookie', async () => {
    const socialReturnUrls = 'http://pages.test,myapp://home,http://accounts.test/in';
    const app = await createSocialApp({ providers: [trusted(provider)] }, { socialReturnUrls });
    for (const [returnTo, end] of [
      ['http://pages.test/a?b=c', 'http://pages.test/a?b=c#status=200'],
      ['myapp://home', 'myapp://home#status=200'],
      ['/in', `${HOME}in`],
      [`${HOME}in?b=c`, `${HOME}in?b=c`],
    ] as const) {
      newPerson();
      expect((await new SocialBrowser(app).signIn('test', { returnTo })).location).toBe(end);
    }
    await app.close();
  });
});

describe('a test that follows a sign-in', () => {
  test('gets the last URL and the cookies, also of a browser that had cookies before', async () => {
    const app = appOf('cookie');
    const start = `${app.url}/auth/social/test?returnTo=/welcome`;
    newPerson();
    const { url, cookie } = await followSignIn(start, 'theme=dark');
    secrets.add(/refresh_token=([^;]+)/.exec(cookie)?.[1]);
    expect([url.href, cookie]).toEqual([
      `${HOME}welcome`,
      expect.stringMatching(/^theme=dark; social_browser=[^; ]+; refresh_token=[^; ]+$/),
    ]);
    const refreshed = await fetch(`${app.url}/auth/refresh`, { method: 'POST', headers: { cookie } });
    expect(refreshed.status).toBe(200);
    provider.deny();
    expect((await followSignIn(start)).url.href).toBe(`${HOME}welcome?error=provider_refused#status=401`);
    const unknown = `${app.url}/auth/social/nowhere`;
    await expect(followSignIn(unknown)).rejects.toThrow('/auth/social/nowhere answered 404, no redirect');
  });
});

describe('the `mfa` of a provider', () => {
  test('counts only if the app trusts the provider for it', async () => {
    const app = appOf('cookie');
    newPerson({ amr: ['pwd', 'mfa'] });
    for (const [id, amr] of [
      ['test', ['fed', 'mfa']],
      ['doubted', ['fed']],
    ] as const) {
      const browser = new SocialBrowser(app);
      await browser.signIn(id);
      expect(claimsOf((await browser.client()).access).amr).toEqual(amr);
    }
  });
});

describe('what a provider has sent', () => {
  test('is kept only encrypted, and its code, state and verifier appear in no log, event or table', async () => {
    const app = appOf('cookie');
    const { email } = newPerson();
    const browser = new SocialBrowser(app);
    const callback = await browser.visit(await browser.start());
    const states = await app.database.pool.query('select * from auth_social_state');
    expect(JSON.stringify(states.rows)).not.toContain(callback.searchParams.get('state'));
    await browser.open(callback.href);
    const { rows } = await app.database.pool.query('select * from auth_social_account where email = $1', [email]);
    expect(JSON.stringify(rows)).not.toContain('eyJ');
    const { sub } = claimsOf((await browser.client()).access);
    const tokens = await app.auth.social.tokensOf(sub, 'test');
    secrets.add(tokens?.accessToken);
    for (const [name, event] of app.seen) secrets.saw(name, event);
    const journal = await app.database.pool.query("select to_regclass('auth_event') as name");
    if (journal.rows[0].name) {
      secrets.saw('the journal', (await app.database.pool.query('select * from auth_event')).rows);
    }
    expect(JSON.stringify(rows)).not.toContain(tokens?.accessToken);
    expect(() => secrets.assertNoneShown()).not.toThrow();
  });

  test('is not kept by default', async () => {
    const app = await createSocialApp({ providers: [trusted(provider)] });
    const person = await createPerson(app);
    provider.signInAs({ sub: 'unkept', email: person.email });
    await new SocialBrowser(app).signIn();
    const { rows } = await app.database.pool.query('select tokens from auth_social_account');
    expect(rows).toEqual([{ tokens: null }]);
    await app.close();
  });
});
