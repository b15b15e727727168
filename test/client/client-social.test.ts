import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AuthClient, AuthError } from '../../src/client/index.js';
import { socialMethods } from '../../src/client/social.js';
import { memoryStore } from '../../src/client/store.js';
import { failure } from '../support/client-apps.js';
import { problem, StubAuthServer } from '../support/stub-auth-server.js';

const AUTH = `${StubAuthServer.URL}/auth`;
const PAGE = 'https://app.example.com/welcome?tab=2';
const CHALLENGE = 'c'.repeat(43);
const s256 = (verifier = '') => createHash('sha256').update(verifier).digest('base64url');

/** What a browser keeps of one tab, from page to page. */
class StubTab {
  readonly kept = new Map<string, string>();
  /** Where the page wants to go. */
  readonly assigned: string[] = [];
  /** What replaced the present address in the history. */
  readonly replaced: unknown[][] = [];

  constructor(public href: string) {}

  install(): void {
    vi.stubGlobal('location', { href: this.href, assign: (url: string) => this.assigned.push(url) });
    vi.stubGlobal('history', { state: 'kept', replaceState: (...args: unknown[]) => this.replaced.push(args) });
    vi.stubGlobal('sessionStorage', {
      getItem: (key: string) => this.kept.get(key) ?? null,
      setItem: (key: string, value: string) => this.kept.set(key, value),
      removeItem: (key: string) => this.kept.delete(key),
    });
  }

  /** Opens a page in this tab. */
  open(href: string): void {
    this.href = href;
    this.install();
  }
}

let tab: StubTab;
let server: StubAuthServer;
const clients: AuthClient[] = [];

/** A client in a page, with the refresh token in a cookie or in bodies. */
function newClient(isCookie = true) {
  server = new StubAuthServer(isCookie);
  const store = isCookie ? undefined : memoryStore();
  // Made before the globals of a page: the client of these tests is alone, without tabs and pending answers.
  const client = new AuthClient({ url: AUTH, store, fetch: server.fetch }).extend(socialMethods);
  clients.push(client);
  tab = new StubTab(PAGE);
  tab.install();
  return client;
}

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  vi.unstubAllGlobals();
});

describe('signInWith', () => {
  test('goes to the server, and back to the present page without what the server has added to it', async () => {
    const client = newClient();
    tab.open(`${PAGE}&error=provider_refused#code=x`);
    await client.signInWith('google');
    expect(tab.assigned).toEqual([`${AUTH}/social/google?returnTo=${encodeURIComponent(PAGE)}`]);
    expect(server.log).toEqual([]);
  });

  test('goes back to another page if the app says so, and asks for a code if tokens travel in bodies', async () => {
    const client = newClient(false);
    await client.signInWith('google', { returnTo: 'https://app.example.com/a?b=c' });
    const returnTo = encodeURIComponent('https://app.example.com/a?b=c');
    const start = `${AUTH}/social/google?returnTo=${returnTo}&transport=body`;
    expect(tab.assigned).toEqual([`${start}&exchange_challenge=${s256([...tab.kept.values()][0])}`]);
  });

  test('makes another verifier each time, and none where the browser cannot compute its challenge', async () => {
    const client = newClient(false);
    await client.signInWith('google');
    const [one] = tab.kept.values();
    await client.signInWith('google');
    const [two] = tab.kept.values();
    expect([one, two]).toEqual([expect.stringMatching(/^[\w-]{43}$/), expect.stringMatching(/^[\w-]{43}$/)]);
    expect(one).not.toBe(two);
    vi.stubGlobal('crypto', {});
    await client.signInWith('google');
    expect(tab.assigned[2]).toBe(`${AUTH}/social/google?returnTo=${encodeURIComponent(PAGE)}&transport=body`);
  });
});

describe('signInUrl', () => {
  test('is for the browser of a native app, which may bind the code to itself', () => {
    const client = newClient(false);
    const start = `${AUTH}/social/google?returnTo=${encodeURIComponent('myapp://home')}&transport=body`;
    expect(client.signInUrl('google', { returnTo: 'myapp://home' })).toBe(start);
    const challenge = 's'.repeat(43);
    const bound = client.signInUrl('google', { returnTo: 'myapp://home', challenge });
    expect(bound).toBe(`${start}&exchange_challenge=${challenge}`);
  });
});

describe('finishSignIn', () => {
  test('takes the new session of the cookie, and leaves the address as it is', async () => {
    const client = newClient();
    await client.signInWith('google');
    tab.open(PAGE);
    expect(await client.finishSignIn()).toBe(true);
    expect(client.state.status).toBe('signed-in');
    expect([server.requests, tab.replaced]).toEqual([['POST /auth/refresh'], []]);
    // Only once.
    expect(await client.finishSignIn()).toBe(false);
    expect(server.requests).toHaveLength(1);
  });

  test('exchanges the code of the fragment, and removes it from the address before the request', async () => {
    const client = newClient(false);
    await client.signInWith('google');
    const [verifier] = tab.kept.values();
    tab.open(`${PAGE}#code=abc`);
    server.routes['POST /auth/social/exchange'] = () => {
      expect(tab.replaced).toEqual([['kept', '', PAGE]]);
      return server.opens('7');
    };
    expect(await client.finishSignIn()).toBe(true);
    expect(client.state).toMatchObject({ status: 'signed-in', claims: { sub: '7' } });
    expect(server.log.map(({ request, body }) => [request, body])).toEqual([
      ['POST /auth/social/exchange', { code: 'abc', verifier }],
    ]);
    expect([...tab.kept]).toEqual([]);
  });

  test('sends no verifier if the sign-in has begun without one', async () => {
    const client = newClient(false);
    vi.stubGlobal('crypto', {});
    await client.signInWith('google');
    tab.open(`${PAGE}#code=abc`);
    server.routes['POST /auth/social/exchange'] = () => server.opens('7');
    expect(await client.finishSignIn()).toBe(true);
    expect(server.log.map(({ body }) => body)).toEqual([{ code: 'abc' }]);
  });

  test('ignores a code that its sign-in does not end with: the tokens are in a cookie', async () => {
    const client = newClient();
    await client.signInWith('google');
    tab.open(`${PAGE}#code=foreign`);
    expect(await client.finishSignIn()).toBe(true);
    expect([server.requests, tab.replaced]).toEqual([['POST /auth/refresh'], [['kept', '', PAGE]]]);
  });

  test('ignores a code after the connection of an account', async () => {
    const client = newClient(false);
    await client.login({ email: 'ada@example.com', password: 'x' });
    server.routes['POST /auth/social/google/connect'] = () => ({ body: { url: 'https://provider.example/x' } });
    await client.social.connect('google');
    tab.open(`${PAGE}#code=foreign`);
    expect(await client.finishSignIn()).toBe(true);
    expect(server.requests.filter((request) => request.includes('exchange'))).toEqual([]);
  });

  test('rejects with the error of the query, and removes it', async () => {
    const client = newClient();
    await client.signInWith('google');
    tab.open(`${PAGE}&error=email_already_registered#status=409`);
    const error = await failure(client.finishSignIn());
    expect(error).toBeInstanceOf(AuthError);
    const { code, status, message, challenge, isTemporary } = error;
    expect({ code, status, message, challenge, isTemporary }).toEqual({
      code: 'email_already_registered',
      status: 409,
      message: 'The sign-in did not work.',
      challenge: undefined,
      isTemporary: false,
    });
    expect(tab.replaced).toEqual([['kept', '', PAGE]]);
  });

  test.each([
    ['a refusal', true, `${PAGE}&error=provider_refused#status=401`],
    ['a challenge', true, `${PAGE}#error=second_factor_required&status=401&challenge=${CHALLENGE}`],
    ['a code that is not valid', false, `${PAGE}#code=used`],
  ])('knows after %s whether a user is signed in', async (_, isCookie, href) => {
    for (const [answer, status] of [
      [() => ({ body: server.tokens() }), 'signed-in'],
      [() => ({ status: 204 }), 'signed-out'],
      [() => problem('refresh_token_reused'), 'signed-out'],
      [() => ({ status: 500, body: { code: 'internal_error', detail: 'No.' } }), 'unknown'],
    ] as const) {
      const client = newClient(isCookie);
      await client.signInWith('google');
      tab.open(href);
      server.routes['POST /auth/social/exchange'] = () => problem('token_not_valid');
      server.routes['POST /auth/refresh'] = answer;
      const { code } = await failure(client.finishSignIn());
      expect(code).toBe(/code=/.test(href) ? 'token_not_valid' : /error=(\w+)/.exec(href)?.[1]);
      expect(client.state.status).toBe(isCookie ? status : 'signed-out'); // without a stored token
    }
  });

  test('takes the session of another origin, or says that the browser has not kept its cookie', async () => {
    for (const [answer, result] of [
      [() => ({ body: server.tokens() }), [true, 'signed-in']],
      [() => ({ status: 204 }), ['cookie_not_kept', 'signed-out']],
    ] as const) {
      const client = newClient();
      await client.signInWith('google');
      tab.open(`${PAGE}#status=200`);
      server.routes['POST /auth/refresh'] = answer;
      const outcome = await client.finishSignIn().catch(({ code }: AuthError) => code);
      expect([outcome, client.state.status]).toEqual(result);
      expect(tab.replaced).toEqual([['kept', '', PAGE]]);
    }
  });

  test('says that a retry may help if the provider does not answer', async () => {
    const client = newClient();
    await client.signInWith('google');
    tab.open(`${PAGE}&error=provider_unavailable#status=503&retry_after=5`);
    expect(await failure(client.finishSignIn())).toMatchObject({ status: 503, isTemporary: true, retryAfter: 5 });
    expect(tab.replaced).toEqual([['kept', '', PAGE]]);
  });

  test.each([true, false])('rejects with a challenge as `login` does (cookie: %s)', async (isCookie) => {
    const client = newClient(isCookie);
    await client.signInWith('google');
    const members = { challenge: CHALLENGE, methods: 'totp,recovery_code', expires_in: '300' };
    tab.open(`${PAGE}#${new URLSearchParams({ error: 'second_factor_required', status: '401', ...members })}`);
    const byProvider = await failure(client.finishSignIn());
    server.routes['POST /auth/login'] = () =>
      problem('second_factor_required', { ...members, methods: ['totp', 'recovery_code'], expires_in: 300 });
    const byPassword = await failure(client.login({ email: 'ada@example.com', password: 'x' }));
    const own = ({ message: _, ...others }: AuthError) => others;
    expect(own(byProvider)).toEqual(own(byPassword));
    expect([byProvider.challenge, tab.replaced]).toEqual([CHALLENGE, [['kept', '', PAGE]]]);
  });

  test('ignores a code or an error in the URL if this tab has not started a sign-in', async () => {
    const client = newClient(false);
    for (const href of [`${PAGE}#code=stolen`, `${PAGE}&error=provider_refused`, PAGE]) {
      tab.open(href);
      expect(await client.finishSignIn()).toBe(false);
    }
    expect([server.log, tab.replaced, client.state.status]).toEqual([[], [], 'unknown']);
  });
});

describe('social', () => {
  let client: ReturnType<typeof newClient>;
  beforeEach(async () => {
    client = newClient();
    await client.login({ email: 'ada@example.com', password: 'x' });
    server.log.splice(0);
  });

  test('connect goes to the URL that the server answers, and finishes like a sign-in', async () => {
    server.routes['POST /auth/social/google/connect'] = () => ({ body: { url: 'https://provider.example/x' } });
    await client.social.connect('google');
    expect([server.requests, server.log[0]?.body]).toEqual([
      ['POST /auth/social/google/connect 1'],
      { returnTo: PAGE },
    ]);
    expect(tab.assigned).toEqual(['https://provider.example/x']);
    tab.open(`${PAGE}&error=provider_already_connected`);
    expect(await failure(client.finishSignIn())).toMatchObject({ code: 'provider_already_connected' });
    expect(client.state.status).toBe('signed-in');
  });

  test('connect goes nowhere if the server refuses', async () => {
    server.routes['POST /auth/social/google/connect'] = () => problem('reauthentication_required');
    expect(await failure(client.social.connect('google'))).toMatchObject({ code: 'reauthentication_required' });
    expect([tab.assigned, [...tab.kept]]).toEqual([[], []]);
  });

  test('lists providers and accounts, disconnects, and signs in natively', async () => {
    const account = { id: '5', provider: 'google', email: null, connectedAt: 'x', lastUsedAt: null };
    server.routes['GET /auth/social/providers'] = () => ({ body: [{ id: 'google', name: 'Google' }] });
    server.routes['GET /auth/social/accounts'] = () => ({ body: [account] });
    server.routes['DELETE /auth/social/accounts/5'] = () => ({ status: 204 });
    server.routes['POST /auth/social/google/token'] = () => server.opens('9');
    expect(await client.social.providers()).toEqual([{ id: 'google', name: 'Google' }]);
    expect(await client.social.accounts()).toEqual([account]);
    expect(await client.social.disconnect('5')).toBeUndefined();
    await client.social.signInWithToken('google', { idToken: 'a.b.c', nonce: 'n' });
    expect(client.state).toMatchObject({ claims: { sub: '9' } });
    expect([server.requests, server.log[3]?.body]).toEqual([
      [
        'GET /auth/social/providers',
        'GET /auth/social/accounts 1',
        'DELETE /auth/social/accounts/5 1',
        'POST /auth/social/google/token',
      ],
      { idToken: 'a.b.c', nonce: 'n' },
    ]);
  });
});
