import { parseEnv } from 'node:util';
import { transform } from 'esbuild';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { socialMethods } from '../../src/client/social.js';
import { memoryStore } from '../../src/client/store.js';
import { providersFault } from '../../src/features/social/configured-provider.js';
import {
  createSocialModule,
  openIdProvider,
  type SocialOptions,
  socialModule,
} from '../../src/features/social/index.js';
import { decideLinking } from '../../src/features/social/linking-decision.js';
import { startTestProvider } from '../../src/features/social/testing/index.js';
import { JwtAllauthError, settingsFromEnv } from '../../src/index.js';
import { blockWith, importSnippet } from '../support/documented-snippet.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { pages } from '../support/manual.js';
import { secrets } from '../support/secrets.js';
import { createSocialApp, SocialBrowser, trusted } from '../support/social-app.js';
import { problem, StubAuthServer } from '../support/stub-auth-server.js';
import { SECRET } from '../support/test-app.js';

const page = pages.get('docs/providers-client.md') ?? '';

describe('the client of the manual', async () => {
  let server: StubAuthServer;
  const kept = new Map<string, string>();
  const assigned: string[] = [];
  const open = (href: string) =>
    vi.stubGlobal('location', { href, origin: StubAuthServer.URL, assign: (url: string) => assigned.push(url) });

  beforeEach(() => {
    server = new StubAuthServer(true);
    vi.stubGlobal('fetch', server.fetch);
    vi.stubGlobal('history', { state: null, replaceState: () => {} });
    vi.stubGlobal('sessionStorage', {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => kept.set(key, value),
      removeItem: (key: string) => kept.delete(key),
    });
  });
  afterEach(() => vi.unstubAllGlobals());
  const { auth, providerButtons, startPage } = await importSnippet('src/social-client.ts');

  test('shows buttons, returns from the provider, and asks for the second factor or shows the error', async () => {
    server.routes['GET /auth/social/providers'] = () => ({ body: [{ id: 'google', name: 'Google' }] });
    const [button] = await providerButtons();
    expect(button?.text).toBe('Sign in with Google');
    const show = vi.fn();
    const comeBack = (href: string) => {
      open('https://app.example.com/');
      button?.click();
      open(href);
      return startPage(show);
    };
    expect(await comeBack('https://app.example.com/#error=second_factor_required&challenge=c')).toBe('c');
    expect(await comeBack('https://app.example.com/?error=provider_refused')).toBeUndefined();
    expect([show.mock.calls, auth.state.status]).toEqual([[['provider_refused']], 'signed-in']);
    expect(await comeBack('https://app.example.com/')).toBeUndefined();
    expect(auth.state.status).toBe('signed-in');
    const url = 'https://app.example.com/auth/social/google?returnTo=https%3A%2F%2Fapp.example.com%2F';
    expect(assigned).toEqual([url, url, url]);
    server.routes['POST /auth/refresh'] = () => problem('refresh_token_reused');
    auth.close();
  });
});

describe('the table of methods', () => {
  const [table = ''] = page.split('\n## Tokens in bodies');
  const rows = [...table.matchAll(/^\| `([\w.]+)\(([^`]*)\)` \| (.*?) \|/gm)].map(([, name = '', , request = '']) => ({
    name,
    requests: [...request.matchAll(/`([A-Z]+ [^`]*)`/g)].map(([, each]) => each),
  }));

  test('has every method, with its request', async () => {
    const sent: string[] = [];
    const server = new StubAuthServer();
    const client = server.newClient(memoryStore()).extend(({ request, call, refresh, state, reasonsToRepeat }) => {
      const record: typeof call = async (method, path) => {
        sent.push(`${method} ${decodeURIComponent(path)}`);
        return { url: '' } as never;
      };
      return socialMethods({ request, refresh, state, reasonsToRepeat, call: record });
    });
    vi.stubGlobal('location', { href: 'https://app.example.com/', assign: () => {} });
    vi.stubGlobal('sessionStorage', { setItem: () => {} });
    const { social, signInUrl, signInWith, finishSignIn } = client;
    const names = [...Object.keys({ signInUrl, signInWith, finishSignIn })];
    expect(rows.map(({ name }) => name).sort()).toEqual(
      [...names, ...Object.keys(social).map((name) => `social.${name}`)].sort(),
    );
    for (const { name, requests } of rows.filter((row) => row.name.startsWith('social.'))) {
      sent.splice(0);
      const method = social[name.replace('social.', '') as keyof typeof social] as (...args: unknown[]) => unknown;
      await method(name.endsWith('disconnect') ? ':id' : ':provider', {});
      expect([name, sent]).toEqual([name, requests]);
    }
    server.close();
    vi.unstubAllGlobals();
  });
});

describe('the page on providers in code', () => {
  const text = pages.get('docs/providers-code.md') ?? '';

  test('says which options JSON has', () => {
    const rows = [...text.matchAll(/^\| `(\w+)` \| [^|]* \| (yes|no) \|/gm)].map(([, name = '', isIn]) => [name, isIn]);
    const entry = { id: 'corp', issuer: 'https://login.example.com', clientId: 'app' };
    const options = openIdProvider(entry);
    const known = Object.keys({ ...options, issuer: 1 });
    const inCode = known.filter((name) => !['server', 'isFormPost', 'profileOf'].includes(name));
    expect(rows.map(([name]) => name).sort()).toEqual(inCode.sort());
    const values: Readonly<Record<string, unknown>> = { trustEmail: true, scopes: ['openid'] };
    for (const [name = '', isIn] of rows) {
      const given = { [name]: values[name] ?? 'https', ...entry };
      const fault = providersFault([given]);
      expect([name, fault]).toEqual([name, isIn === 'yes' ? undefined : `number 1 has the unknown member "${name}"`]);
    }
  });

  test('names what mapProfile gets, and what it must not return', async () => {
    const provider = await startTestProvider();
    const seen: object[] = [];
    let returned: Readonly<Record<string, unknown>> = {};
    const mapProfile: SocialOptions['mapProfile'] = (profile) => {
      seen.push(profile);
      return returned;
    };
    const app = await createSocialApp({ providers: [trusted(provider)], mapProfile });
    provider.signInAs({ email: 'ada@example.com', name: 'Ada Lovelace' });
    await new SocialBrowser(app).signIn();
    const [, table = ''] = /The argument of `mapProfile` has:([\s\S]*?)\nReturn/.exec(text) ?? [];
    const named = [...table.matchAll(/^\| (`[^|]*`) \|/gm)].flatMap(([, names = '']) => names.match(/\w+/g) ?? []);
    expect(named.sort()).toEqual(Object.keys(seen[0] ?? {}).sort());
    const [, forbidden = ''] = /You cannot return ([\s\S]*?), or a property/.exec(text) ?? [];
    const names = forbidden.match(/\w+/g) ?? [];
    expect(names).toHaveLength(6);
    for (const name of [...names, 'noProperty']) {
      returned = { [name]: 'x' };
      expect((await new SocialBrowser(app).signIn()).query, name).toEqual({ error: 'internal_error' });
      const line = app.log.findLast(({ level }) => level === 'error');
      expect(line?.['reason']).toContain(`"${name}"`);
    }
    returned = { lastName: 'King' };
    expect((await new SocialBrowser(app).signIn()).query).toEqual({});
    const { rows } = await app.database.pool.query('select last_name from app_user');
    expect(rows).toEqual([{ last_name: 'Lovelace' }]); // a user who exists keeps the old values
    await app.close();
    await provider.close();
  });

  test('keeps tokens that the app reads', async () => {
    const provider = await startTestProvider();
    const app = await createSocialApp({ providers: [trusted(provider, 'google')], keepTokens: true });
    provider.signInAs({ email: 'ada@example.com' });
    await new SocialBrowser(app).signIn('google');
    const { accessTokenOf, calendarModule } = await importSnippet('src/kept-tokens.ts');
    const [{ id }] = (await app.database.pool.query('select id from app_user')).rows;
    const token = await accessTokenOf(app.auth as never, id);
    secrets.add(token);
    expect(token).toMatch(/^[\w-]{32}$/);
    expect(calendarModule('id', 'secret').name).toBe('social');
    await app.close();
    await provider.close();
  });
});

describe('the page on providers', () => {
  test('says that a disconnected account of a trusted provider is connected again at its next sign-in', async () => {
    const provider = await startTestProvider();
    const app = await createSocialApp({ providers: [trusted(provider)] });
    const client = await app.signedUp('ada@example.com');
    await app.database.pool.query('update app_user set email_verified = true');
    provider.signInAs({ email: 'ada@example.com' });
    const connect = async () => {
      expect((await new SocialBrowser(app).signIn()).query).toEqual({});
      return (await client.get('/auth/social/accounts')).body as { id: string }[];
    };
    const [first] = await connect();
    const removed = await client.send('DELETE', `/auth/social/accounts/${first?.id}`, undefined, client.bearer);
    expect([removed.status, (await client.get('/auth/social/accounts')).body]).toEqual([204, []]);
    expect(await connect()).toHaveLength(1);
    await app.close();
    await provider.close();
  });

  test('says that a sign-up that waits loses its link and its password', async () => {
    const provider = await startTestProvider();
    const app = await createSocialApp({ providers: [trusted(provider)] }, { emailVerification: 'mandatory' });
    await app.client().register('ada@example.com');
    const link = await app.linkTo('ada@example.com');
    provider.signInAs({ email: 'ada@example.com' });
    expect((await new SocialBrowser(app).signIn()).query).toEqual({});
    expect((await app.open(link)).status).toBe(400);
    expect((await app.client().login('ada@example.com')).body.code).toBe('email_not_verified');
    await app.close();
    await provider.close();
  });

  const text = pages.get('docs/providers.md') ?? '';

  test('has a list of providers that is accepted, and URLs to return to', () => {
    const [, line = ''] = /`JWT_ALLAUTH_SOCIAL_RETURN_URLS=([^`]+)`/.exec(text) ?? [];
    const keys = { JWT_ALLAUTH_SECRET_KEY: SECRET, JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY };
    const env = { ...parseEnv(blockWith('ini', 'SOCIAL_PROVIDERS')), JWT_ALLAUTH_SOCIAL_RETURN_URLS: line };
    const { socialProviders, socialReturnUrls } = settingsFromEnv({ ...keys, ...env }, [socialModule as never]) as {
      socialProviders?: unknown;
      socialReturnUrls?: unknown;
    };
    expect(socialProviders).toMatchObject([{ id: 'corp', trustEmail: true }]);
    expect(socialReturnUrls).toEqual(['https://app.example.com/in', 'myapp://signed-in']);
  });

  test('has a link that begins the sign-in', async () => {
    const provider = await startTestProvider();
    const app = await createSocialApp({ providers: [trusted(provider, 'google')] });
    const [, path = ''] = /href="([^"]+)"/.exec(blockWith('html', 'Sign in with Google')) ?? [];
    const { status, location } = await new SocialBrowser(app).open(path);
    const { origin, searchParams } = new URL(location ?? '');
    expect([status, origin]).toEqual([303, provider.issuer]);
    expect(searchParams.get('redirect_uri')).toBe('http://accounts.test/auth/social/google/callback');
    await app.close();
    await provider.close();
  });

  test('has a hook that refuses people from outside the company, and writes the names of new users in capitals', async () => {
    const provider = await startTestProvider();
    let mapProfile: SocialOptions['mapProfile'];
    const modules: Readonly<Record<string, object>> = {
      'jwt-allauth': { JwtAllauthError },
      'jwt-allauth/social': {
        createSocialModule: (options: SocialOptions) => {
          ({ mapProfile } = options);
          return createSocialModule(options);
        },
      },
    };
    // Uses the modules of the sources, because the app below checks their class of errors.
    const { code } = await transform(blockWith('ts', 'src/mapped-profile.ts'), { loader: 'ts', format: 'cjs' });
    new Function('require', 'module', code)((name: string) => modules[name], {});
    const app = await createSocialApp({ providers: [trusted(provider)], ...(mapProfile && { mapProfile }) });
    const signIn = async (email: string) => {
      provider.signInAs({ email, claims: { family_name: 'Lovelace' } });
      const { location, query, fragment } = await new SocialBrowser(app).signIn();
      return { page: location?.split(/[?#]/)[0], query, fragment };
    };
    expect(await signIn('eve@example.org')).toEqual({
      page: 'http://accounts.test/',
      query: { error: 'not_of_the_company' },
      fragment: { status: '403' },
    });
    expect(await signIn('ada@example.com')).toEqual({ page: 'http://accounts.test/', query: {}, fragment: {} });
    const { rows } = await app.database.pool.query('select email, last_name from app_user');
    expect(rows).toEqual([{ email: 'ada@example.com', last_name: 'LOVELACE' }]);
    await app.close();
    await provider.close();
  });

  test('has the results of the linking rules, and no other', () => {
    const [, table = ''] = /## Who signs in([\s\S]*?)\n## /.exec(text) ?? [];
    const rows = [...table.matchAll(/^\| (is [^|]*) \| ([^|]*) \| ([^|]*) \|$/gm)].map(([, ...cells]) => cells);
    const isOpen = { isSignUpOpen: true, isConnected: false, isEmailVerified: true, isEmailTrusted: true } as const;
    const facts: Readonly<Record<string, Partial<Parameters<typeof decideLinking>[0]>[]>> = {
      '–': [{ isConnected: true, isEmailVerified: false }],
      'missing, or not verified by the provider': [{ isEmailVerified: false }],
      'of no user, of a waiting sign-up or of an expired invitation': [
        { isEmailTrusted: false },
        { isSignUpOpen: false },
      ],
      'confirmed by its user, provider trusted': [{ owner: 'confirmed' }],
      'with an open invitation, provider trusted': [{ owner: 'invited' }],
      'of any user, provider not trusted': (['confirmed', 'invited', 'unconfirmed'] as const).map((owner) => ({
        owner,
        isEmailTrusted: false,
      })),
      'of a user who has never confirmed it': [{ owner: 'unconfirmed' }],
    };
    const words = { 'sign-in': 'is signed in', 'sign-up': 'a new user', connect: 'connected to that user' };
    const results: Readonly<Record<string, string>> = { ...words, 'accept-invitation': 'invitation is used' };
    expect(rows.map(([, address]) => address)).toEqual(Object.keys(facts));
    for (const [, address = '', result = ''] of rows)
      for (const each of facts[address] ?? []) {
        const decision = decideLinking({ owner: 'no-user', ...isOpen, ...each });
        const expected = 'action' in decision ? (results[decision.action] ?? '') : decision.refusal;
        expect(result, address).toContain(expected);
      }
  });
});
