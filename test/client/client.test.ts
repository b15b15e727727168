import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AuthClient, AuthError } from '../../src/client/index.js';
import { memoryStore, type RefreshTokenStore, storeIn } from '../../src/client/store.js';
import type { SettingsInput } from '../../src/index.js';
import { ClientApps, failure } from '../support/client-apps.js';
import type { ClientNetwork } from '../support/client-network.js';
import type { TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

const EMAIL = 'client@example.com';
const MINUTE = 60_000;

interface Custom {
  readonly permissions: string[];
}

const apps = new ClientApps<Custom>();
let app: TestApp;
let network: ClientNetwork;
let client: AuthClient<Custom>;

async function start(settings: SettingsInput = {}, store?: RefreshTokenStore): Promise<void> {
  ({ app, network } = await apps.start(settings));
  client = apps.newClient(store);
}

/** Moves the clock of the whole machine, and so the client's, but not the server's; or the other way round. */
const moveClientClock = (milliseconds: number) => vi.setSystemTime(Date.now() + milliseconds);
const user = () => client.fetch(`${app.url}/auth/user`).then(({ status }) => status);

describe.each([
  ['cookies', {}, undefined],
  ['bodies', { refreshTokenAsCookie: false }, memoryStore],
])('a client with refresh tokens in %s', (_, settings, store) => {
  beforeEach(() => start(settings, store?.()));

  test('signs up, out and in, exposes the claims, and notifies its listeners', async () => {
    const states: string[] = [];
    const end = client.subscribe(() => states.push(client.state.status));
    expect(client.state).toEqual({ status: 'unknown' });
    expect(await client.restore()).toEqual({ status: 'signed-out', reason: undefined });
    expect(await client.register({ email: EMAIL, password: PASSWORD, firstName: 'Ada' })).toBe('signed-in');
    const { state } = client;
    if (state.status !== 'signed-in') return expect.unreachable();
    expect(state.claims).toMatchObject({ role: 0, email_verified: true, permissions: [], sub: expect.any(String) });
    expect(state.expiresAt).toBe(Date.now() + 10 * MINUTE);
    expect(client.state).toBe(state);
    await client.logout();
    expect(client.state).toEqual({ status: 'signed-out', reason: undefined });
    expect(await client.login({ email: EMAIL, password: PASSWORD })).toMatchObject({ status: 'signed-in' });
    end();
    await client.logoutAll();
    const out = client.state;
    await client.logout();
    expect(client.state).toBe(out);
    expect(states).toEqual(['signed-out', 'signed-in', 'signed-out', 'signed-in']);
    expect(await app.liveSessions()).toBe(0);
    expect(await user()).toBe(401);
    expect(network.cookies).toEqual(new Map());
    expect(apps.refreshes()).toEqual(store ? [] : ['POST /auth/refresh 204']); // of an anonymous visitor
  });

  test('stays signed in when the request of a refresh, its answer, or a part of its answer is lost', async () => {
    await client.register({ email: EMAIL, password: PASSWORD });
    for (const mishap of ['lost', 'answer lost', 'answer cut'] as const) {
      network.fails('/auth/refresh', mishap);
      const { claims } = (await client.refresh()) as { claims: { jti: string } };
      expect(claims.jti).toEqual(expect.any(String));
      expect(await user()).toBe(200);
    }
    expect(app.events.filter(({ reuse }) => reuse !== 'lost-response')).toEqual([]);
    expect(await app.liveSessions()).toBe(1);
  });

  test('has a method for every endpoint that requires the access token', async () => {
    await client.register({ email: EMAIL, password: PASSWORD });
    expect(await client.updateUser({ firstName: 'Grace', lastName: 'Hopper' })).toMatchObject({ lastName: 'Hopper' });
    expect(await client.getUser()).toMatchObject({ email: EMAIL, firstName: 'Grace', role: 0, emailVerified: true });
    for (let times = 0; times < 2; times++) {
      app.clock.advance('1s');
      await app.client().login(EMAIL);
    }
    const sessions = await client.sessions();
    expect(sessions.map(({ current }) => current)).toEqual([false, false, true]);
    await client.revokeSession(sessions[0]?.id as string);
    expect(await client.sessions()).toHaveLength(2);
    expect(await failure(client.revokeSession('no such/session'))).toMatchObject({
      code: 'session_not_found',
      status: 404,
    });
    await client.revokeOtherSessions();
    expect(await client.sessions()).toMatchObject([{ current: true }]);
    const before = client.state;
    await client.changePassword({ oldPassword: PASSWORD, newPassword: 'another sentence, as long' });
    expect(client.state).not.toBe(before);
    expect(await client.sessions()).toMatchObject([{ current: true }]);
    await client.deleteUser({ password: 'another sentence, as long' });
    expect(client.state).toEqual({ status: 'signed-out', reason: undefined });
    expect((await app.database.pool.query('select from app_user')).rowCount).toBe(0);
  });

  test("fails with the library's codes and fields, and sends a wrong password once", async () => {
    await client.register({ email: EMAIL, password: PASSWORD });
    const error = await failure(client.changePassword({ oldPassword: 'not it', newPassword: 'another sentence' }));
    expect(error).toBeInstanceOf(AuthError);
    expect(error).toMatchObject({ code: 'incorrect_credentials', status: 401, isTemporary: false, errors: [] });
    expect(network.log.filter((line) => line.includes('/password/change'))).toHaveLength(1);
    expect(apps.refreshes()).toEqual([]);
    const invalid = await failure(client.register({ email: 'nobody', password: 'short' }));
    expect(invalid).toMatchObject({ code: 'validation_failed', status: 400 });
    const messages = expect.arrayContaining([expect.any(String)]);
    expect(invalid.errors).toEqual(['email', 'password'].map((field) => ({ field, messages })));
    expect(client.state.status).toBe('signed-in');
  });
});

describe('the renewal of the access token', () => {
  beforeEach(async () => {
    await start();
    await client.register({ email: EMAIL, password: PASSWORD });
    network.log.length = 0;
  });

  test('happens before a request when a laptop slept past the expiry', async () => {
    app.clock.advance('3h');
    moveClientClock(180 * MINUTE);
    expect(await Promise.all([user(), user(), user()])).toEqual([200, 200, 200]);
    expect(network.log).toEqual(['POST /auth/refresh 200', ...Array(3).fill('GET /auth/user 200')]);
  });

  test('runs in parallel to a request shortly before the expiry', async () => {
    app.clock.advance(9 * 60 + 30);
    moveClientClock(9.5 * MINUTE);
    const { promise, resolve: answer } = Promise.withResolvers<void>();
    network.pause = (path) => (path === '/auth/refresh' ? promise : undefined);
    expect(await user()).toBe(200);
    expect(await user()).toBe(200);
    expect(apps.refreshes()).toEqual([]);
    answer();
    await vi.waitFor(() => expect(apps.refreshes()).toHaveLength(1));
    network.pause = undefined;
    expect(await user()).toBe(200);
    expect(new Set(network.bearers.filter(Boolean).slice(-3)).size).toBe(2);
    expect(apps.refreshes()).toHaveLength(1);
  });

  test('is neither early nor late if a clock is wrong by an hour', async () => {
    for (const hours of [1, -1]) {
      const now = Date.now();
      vi.setSystemTime(now + hours * 60 * MINUTE);
      await client.refresh(); // as if the clock had been wrong from the beginning
      network.log.length = 0;
      expect(await user()).toBe(200);
      app.clock.advance('8m');
      moveClientClock(8 * MINUTE);
      expect(await user()).toBe(200);
      expect(apps.refreshes()).toEqual([]);
      app.clock.advance('3m');
      moveClientClock(3 * MINUTE);
      expect(await user()).toBe(200);
      expect(network.log.filter((line) => line.endsWith('401'))).toEqual([]);
      expect(apps.refreshes()).toHaveLength(1);
    }
  });

  test('follows a 401 if the clock stood still, once for all requests, which are repeated with their bodies', async () => {
    app.clock.advance('11m');
    const rename = (firstName: string) => client.updateUser({ firstName });
    const renamed = await Promise.all([rename('Ada'), rename('Grace'), user()]);
    expect(renamed).toMatchObject([{ firstName: 'Ada' }, { firstName: 'Grace' }, 200]);
    expect(apps.refreshes()).toEqual(['POST /auth/refresh 200']);
    expect(network.log.filter((line) => line.endsWith('401'))).toHaveLength(3);
    expect(network.log).toHaveLength(7);
  });

  test('happens if the clock was set back', async () => {
    moveClientClock(-2 * 60 * MINUTE);
    expect(await user()).toBe(200);
    expect(network.log).toEqual(['POST /auth/refresh 200', 'GET /auth/user 200']);
  });

  test('repeats a request once, and returns a second 401 to the caller', async () => {
    await app.database.pool.query('update app_user set is_active = false');
    app.clock.advance('11m');
    expect(await user()).toBe(401);
    const sent = ['GET /auth/user 401', 'POST /auth/refresh 401', expect.stringMatching(/^POST \/auth\/logout/)];
    await vi.waitFor(() => expect(network.log).toEqual(sent)); // the unusable cookie is removed
    expect(client.state).toEqual({ status: 'signed-out', reason: 'token_not_valid' });
    expect(await user()).toBe(401);
    expect(network.log).toEqual([...sent, 'GET /auth/user 401']);
    expect(network.bearers.at(-1)).toBeNull();
  });

  test('that waits for a sign-in uses its token, and requests no other', async () => {
    app.clock.advance('11m');
    moveClientClock(11 * MINUTE);
    const { promise, resolve: answer } = Promise.withResolvers<void>();
    network.pause = (path) => (path === '/auth/login' ? promise : undefined);
    const signedIn = client.login({ email: EMAIL, password: PASSWORD });
    const asked = user();
    answer();
    expect(await signedIn).toMatchObject({ status: 'signed-in' });
    expect(await asked).toBe(200);
    expect(network.log).toEqual(['POST /auth/login 200', 'GET /auth/user 200']);
  });

  test('on request returns the current claims, even if another renewal is running', async () => {
    const { promise, resolve: answer } = Promise.withResolvers<void>();
    network.pause = (path) => (path === '/auth/refresh' ? promise : undefined);
    app.clock.advance('11m');
    moveClientClock(11 * MINUTE);
    const waiting = user();
    await vi.waitFor(async () => expect(await app.sessions()).not.toMatchObject([{ previous_jti: null }]));
    await app.database.pool.query(`update app_user set permissions = '["write"]'`);
    const refreshed = client.refresh();
    answer();
    expect(await waiting).toBe(200);
    expect(await refreshed).toMatchObject({ claims: { permissions: ['write'] } });
    expect(apps.refreshes()).toHaveLength(2);
  });

  test('reports that a replay ended the session', async () => {
    const [[name, stolen]] = [...network.cookies] as [[string, string]];
    await client.refresh();
    await client.refresh();
    const thief = await app.client().send('POST', '/auth/refresh', undefined, { cookie: `${name}=${stolen}` });
    expect(thief.body.code).toBe('refresh_token_reused');
    expect(await client.refresh()).toEqual({ status: 'signed-out', reason: 'token_not_valid' });
  });

  test('is retried if requests are lost, and no user is signed out', async () => {
    app.clock.advance('11m');
    moveClientClock(11 * MINUTE);
    network.fails('/auth/refresh', 'lost', 'lost');
    expect(await user()).toBe(200);
    expect(apps.refreshes()).toEqual(['POST /auth/refresh -', 'POST /auth/refresh -', 'POST /auth/refresh 200']);
  });

  describe('with late answers', () => {
    const patience: AbortController[] = [];
    /** Answers that the client waits for, in the order of its requests. */
    let answers: (() => void)[];

    /** Lets the client's timeout for an answer pass. */
    async function lose(count: number, seconds: number): Promise<void> {
      await vi.waitFor(() => expect([answers.length, patience.length]).toEqual([count, 1]));
      moveClientClock(seconds * 1000);
      app.clock.advance(seconds);
      patience.shift()?.abort();
    }
    const answer = (index: number) => answers[index]?.();

    beforeEach(() => {
      answers = [];
      patience.length = 0;
      vi.spyOn(AbortSignal, 'timeout').mockImplementation((milliseconds) => {
        const controller = new AbortController();
        if (milliseconds !== 30_000) patience.push(controller);
        return controller.signal;
      });
      network.pause = (path) =>
        path === '/auth/refresh' ? new Promise((resolve) => answers.push(resolve)) : undefined;
    });
    afterEach(() => {
      vi.restoreAllMocks();
    });

    test('is sent a second time in parallel, and no other renewal starts until both requests are answered', async () => {
      const refreshed = client.refresh();
      await lose(1, 5);
      await vi.waitFor(() => expect(answers).toHaveLength(2));
      answer(1);
      expect(await refreshed).toMatchObject({ status: 'signed-in' });
      const { state } = client;
      const next = client.refresh();
      await app.signedUp('meanwhile@example.com'); // longer than a request takes
      expect(answers).toHaveLength(2);
      answer(0);
      await vi.waitFor(() => expect(answers).toHaveLength(3));
      expect(client.state).toBe(state);
      answer(2);
      await next;
      app.clock.advance('1h');
      moveClientClock(60 * MINUTE);
      network.pause = undefined;
      expect(await user()).toBe(200);
      expect(app.events).toMatchObject([{ reuse: 'lost-response' }]);
    });

    test('is not retried after the grace, when a retry would look like a theft: the client waits', async () => {
      const refreshed = client.refresh();
      await lose(1, 5);
      await lose(2, 5);
      answer(0);
      expect(await refreshed).toMatchObject({ status: 'signed-in' });
      answer(1);
      await user();
      expect(answers).toHaveLength(2);
      expect(app.events).toMatchObject([{ reuse: 'lost-response' }]);
    });
  });

  test("stops waiting when the caller's signal is aborted", async () => {
    app.clock.advance('11m');
    moveClientClock(11 * MINUTE);
    network.pause = () => new Promise(() => {});
    const caller = new AbortController();
    const asked = failure(client.fetch(`${app.url}/auth/user`, { signal: caller.signal }));
    await vi.waitFor(async () => expect(await app.sessions()).not.toMatchObject([{ previous_jti: null }]));
    caller.abort(new Error('the user left'));
    expect((await asked).message).toBe('the user left');
    expect(network.bearers).toEqual([null, null]); // of the sign-up and of the refresh
  });

  test.each([
    ['signs out everywhere', () => client.logoutAll()],
    ['deletes the account', () => client.deleteUser({ password: PASSWORD })],
  ])('that is running does not sign in again a user who %s', async (_, leave) => {
    app.clock.advance(9 * 60 + 30);
    moveClientClock(9.5 * MINUTE);
    const { promise, resolve: answer } = Promise.withResolvers<void>();
    network.pause = (path) => (path === '/auth/refresh' ? promise : undefined);
    expect(await user()).toBe(200);
    await vi.waitFor(async () => expect(await app.sessions()).not.toMatchObject([{ previous_jti: null }]));
    const left = leave();
    for (const name of ['one', 'two', 'three']) await app.signedUp(`${name}@example.com`); // longer than a request takes
    answer();
    await left;
    expect(apps.refreshes()).toEqual(['POST /auth/refresh 200']);
    expect(client.state).toEqual({ status: 'signed-out', reason: undefined });
    expect(network.cookies).toEqual(new Map());
    expect(await app.liveSessions()).toBe(3); // those of the other users
  });

  test('fails with network_error while offline, and works when the network is back', async () => {
    app.clock.advance('11m');
    moveClientClock(11 * MINUTE);
    network.isOffline = true;
    const [error] = await Promise.all([failure(user() as Promise<unknown>), failure(client.sessions())]);
    expect(error).toMatchObject({ name: 'AuthError', code: 'network_error', status: 0, isTemporary: true });
    expect(network.log).toEqual(Array(4).fill('POST /auth/refresh -'));
    expect(client.state.status).toBe('signed-in');
    expect((await failure(client.logout())).code).toBe('network_error');
    expect(client.state.status).toBe('signed-in');
    network.isOffline = false;
    expect(await user()).toBe(200);
    expect(await app.liveSessions()).toBe(1);
  });

  test('does not accept the page of a proxy as an answer of the library', async () => {
    const real = network.fetch;
    const proxied = new AuthClient({
      url: `${app.url}/auth`,
      fetch: async (request) =>
        new URL(request.url).pathname.endsWith('/refresh')
          ? new Response('<h1>Sign in to the Wi-Fi</h1>', { status: 401 })
          : real(request),
    });
    const error = await failure(proxied.refresh());
    expect(error).toMatchObject({
      code: 'unexpected_answer',
      status: 401,
      message: 'Unexpected answer (401).',
    });
    expect(proxied.state).toEqual({ status: 'unknown' });
  });

  test.each(['{}', 'null', '{"access":5}', '{"access":"a.b.c"}', '{"access":"e30.bnVsbA.e30"}'])(
    'does not accept %s as a token',
    async (body) => {
      const before = client.state;
      const real = network.fetch;
      const odd = new AuthClient({
        url: `${app.url}/auth`,
        fetch: async (request) =>
          new URL(request.url).pathname.endsWith('/refresh') ? new Response(body) : real(request),
      });
      expect(await failure(odd.refresh())).toMatchObject({ name: 'AuthError', code: 'unexpected_answer', status: 200 });
      expect(odd.state).toEqual({ status: 'unknown' });
      expect(client.state).toBe(before);
    },
  );

  test('does not accept an answer without a token as a sign-in', async () => {
    const odd = new AuthClient({ url: app.url, fetch: async () => new Response('{}') });
    expect(await failure(odd.login({ email: EMAIL, password: PASSWORD }))).toMatchObject({ code: 'unexpected_answer' });
    expect(odd.state).toEqual({ status: 'unknown' });
  });

  test('is not reported as a network error if the caller aborts', async () => {
    const why = new Error('the user left');
    network.pause = () => new Promise(() => {});
    const caller = new AbortController();
    const asked = failure(client.fetch(`${app.url}/auth/user`, { signal: caller.signal }));
    await vi.waitFor(() => expect(network.bearers).toHaveLength(2));
    caller.abort(why);
    expect(await asked).toBe(why);
  });

  test('reports an answer that is not JSON', async () => {
    const other = new AuthClient({ url: app.url, fetch: async () => new Response('<html>', { status: 200 }) });
    expect(await failure(other.call('GET', '/some'))).toMatchObject({
      code: 'unexpected_answer',
      status: 200,
      isTemporary: false,
    });
  });

  const WAIT = JSON.stringify({ code: 'too_many_requests', detail: 'Wait.' });

  test.each<[string, string, number, string, Partial<AuthError>]>([
    ['seconds from the library', WAIT, 429, '7', { code: 'too_many_requests', retryAfter: 7, isTemporary: false }],
    ['seconds from a proxy', '<html>', 503, '120', { code: 'unexpected_answer', retryAfter: 120, isTemporary: true }],
    ['unknown for a date', WAIT, 429, 'Wed, 21 Oct 2026 07:28:00 GMT', { retryAfter: undefined }],
    ['unknown for an empty header', WAIT, 429, '', { retryAfter: undefined }],
  ])('reports how long to wait: %s', async (_, body, status, after, expected) => {
    const answer = new Response(body, { status, headers: { 'Retry-After': after } });
    const other = new AuthClient({ url: app.url, fetch: async () => answer });
    expect(await failure(other.login({ email: EMAIL, password: PASSWORD }))).toMatchObject({ status, ...expected });
  });
});

describe('two clients', () => {
  /** A store that two tabs share. */
  function sharedStore(): RefreshTokenStore {
    return { ...memoryStore(), isShared: true };
  }

  /** The first and another, with one store, both signed in. */
  async function startTwo() {
    const store = sharedStore();
    await start({ refreshTokenAsCookie: false }, store);
    const other = apps.newClient(store);
    await client.register({ email: EMAIL, password: PASSWORD });
    await vi.waitFor(() => expect(other.state.status).toBe('signed-in'));
    return { other, store };
  }

  test('in one process share nothing, because they may belong to two users', async () => {
    await start({ refreshTokenAsCookie: false }, memoryStore());
    const other = apps.newClient(memoryStore());
    await client.register({ email: EMAIL, password: PASSWORD });
    await other.register({ email: 'other@example.com', password: PASSWORD });
    await client.logout();
    expect((await other.getUser()).email).toBe('other@example.com');
    expect(client.state.status).toBe('signed-out');
  });

  test('that share a store refresh once, and sign out together', async () => {
    const { other, store } = await startTwo();
    app.clock.advance('11m');
    moveClientClock(11 * MINUTE);
    const emails = await Promise.all([client.getUser(), other.getUser()]);
    expect(emails.map(({ email }) => email)).toEqual([EMAIL, EMAIL]);
    expect(apps.refreshes()).toHaveLength(1);
    await other.logout();
    await vi.waitFor(() => expect(client.state.status).toBe('signed-out'));
    expect(await store.get()).toBeUndefined();
  });

  test('that share a store renew at the same moment, which is random and which the first has chosen', async () => {
    const store = sharedStore();
    await start({ refreshTokenAsCookie: false }, store);
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.999); // after 480 of 600 seconds
    await client.register({ email: EMAIL, password: PASSWORD });
    random.mockReturnValue(0); // after 570
    const other = apps.newClient(store);
    expect(await other.restore()).toMatchObject({ status: 'signed-in' });
    expect(apps.refreshes()).toEqual([]);
    app.clock.advance(500);
    moveClientClock(500_000);
    await other.getUser();
    await vi.waitFor(() => expect(apps.refreshes()).toHaveLength(1));
  });

  test('that share a store rely on the grace if there are no locks', async () => {
    vi.stubGlobal('navigator', undefined);
    vi.stubGlobal('BroadcastChannel', undefined);
    const store = sharedStore();
    await start({ refreshTokenAsCookie: false }, store);
    const other = apps.newClient(store);
    await client.register({ email: EMAIL, password: PASSWORD });
    for (let round = 0; round < 20; round++) {
      app.clock.advance('11m');
      moveClientClock(11 * MINUTE);
      expect(await Promise.all([client.getUser(), other.getUser()])).toMatchObject([
        { email: EMAIL },
        { email: EMAIL },
      ]);
    }
    expect(app.events.filter(({ reuse }) => reuse !== 'lost-response')).toEqual([]);
    expect(await app.liveSessions()).toBe(1);
  });

  test('both sign out, even if the one that calls logout did not know which user is signed in', async () => {
    const store = sharedStore();
    await start({ refreshTokenAsCookie: false }, store);
    await client.register({ email: EMAIL, password: PASSWORD });
    const channel = new BroadcastChannel(`jwt-allauth ${app.url}/auth`);
    channel.postMessage({ wantedBy: await client.accessToken() }); // the first is idle, and sends it no new token
    channel.close();
    const other = apps.newClient(store);
    const states: string[] = [];
    other.subscribe(() => states.push(other.state.status));
    await other.logout();
    expect(states).toEqual(['signed-out']);
    await vi.waitFor(() => expect(client.state).toEqual({ status: 'signed-out', reason: undefined }));
    expect(await app.liveSessions()).toBe(0);
  });

  test('do not wait for each other after a request with a wrong password, which changes no token', async () => {
    const { other } = await startTwo();
    const { promise, resolve: answer } = Promise.withResolvers<void>();
    network.pause = (path) => (path === '/auth/password/change' ? promise : undefined);
    const changed = failure(client.changePassword({ oldPassword: 'not it', newPassword: `another ${PASSWORD}` }));
    await app.signedUp('meanwhile@example.com'); // longer than a request takes
    const started = performance.now();
    const refreshed = other.refresh();
    await new Promise((resolve) => setImmediate(resolve)); // no client could grant its request for a turn
    answer();
    expect((await changed).code).toBe('incorrect_credentials');
    await refreshed;
    expect(performance.now() - started).toBeLessThan(4000); // a wait for a lock that no other client releases takes 5 s
  });

  test('do not wait forever when the sign-out of one of them gets no answer', async () => {
    const { other } = await startTwo();
    const patience = new AbortController();
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValueOnce(patience.signal);
    network.pause = (path) => (path === '/auth/logout' ? new Promise(() => {}) : undefined);
    const left = failure(other.logout());
    await vi.waitFor(() => expect(timeout).toHaveBeenCalledWith(30_000));
    const refreshed = client.refresh();
    patience.abort(new DOMException('The operation timed out.', 'TimeoutError'));
    expect(await left).toMatchObject({ code: 'network_error' });
    expect(await refreshed).toMatchObject({ status: 'signed-out' }); // the server had received it
    timeout.mockRestore();
  });

  test('continue when one was closed', async () => {
    const { other } = await startTwo();
    other.close();
    expect(await other.refresh()).toMatchObject({ status: 'signed-in' });
    expect(await client.refresh()).toMatchObject({ status: 'signed-in' });
  });

  test('do not mistake the end of an older session for the end of theirs', async () => {
    await start({ refreshTokenAsCookie: false }, sharedStore());
    await client.register({ email: EMAIL, password: PASSWORD });
    const { session } = (client.state as { claims: { session: string } }).claims;
    const late = new BroadcastChannel(`jwt-allauth ${app.url}/auth`);
    const states: string[] = [];
    client.subscribe(() => states.push(JSON.stringify(client.state)));
    late.postMessage({ ended: '00000000-0000-4000-8000-000000000000', reason: 'token_not_valid' });
    late.postMessage({ ended: session, reason: 'session_expired' });
    await vi.waitFor(() => expect(states).toEqual(['{"status":"signed-out","reason":"session_expired"}']));
    late.close();
  });

  test('fail together if the one that refreshes has no network', async () => {
    const { other } = await startTwo();
    moveClientClock(11 * MINUTE);
    network.isOffline = true;
    const errors = await Promise.all([failure(client.getUser()), failure(other.getUser())]);
    expect(errors.map(({ code }) => code)).toEqual(['network_error', 'network_error']);
    expect([client.state.status, other.state.status]).toEqual(['signed-in', 'signed-in']);
    network.isOffline = false;
    expect(await Promise.all([client.getUser(), other.getUser()])).toMatchObject([{ email: EMAIL }, { email: EMAIL }]);
  });
});

describe('a request of one user', () => {
  let store: RefreshTokenStore;
  const names = async () =>
    (await app.database.pool.query('select first_name from app_user')).rows.map((row) => row.first_name);

  beforeEach(async () => {
    store = { ...memoryStore(), isShared: true };
    await start({ refreshTokenAsCookie: false, accessTokenSessionCheck: 'database' }, store);
    await client.register({ email: EMAIL, password: PASSWORD });
  });

  test('is not repeated as another user who has signed in since', async () => {
    const { promise, resolve: answer } = Promise.withResolvers<void>();
    await app.database.pool.query('delete from auth_session');
    network.pause = (path) => (path === '/auth/user' ? promise : undefined);
    const renamed = failure(client.updateUser({ firstName: 'Ada' }));
    const before = client.state;
    await apps.newClient(store).register({ email: 'other@example.com', password: PASSWORD });
    await vi.waitFor(() => expect(client.state).not.toBe(before));
    expect(client.state.status).toBe('signed-in');
    answer();
    expect(await renamed).toMatchObject({ code: 'token_not_valid', status: 401 });
    expect(network.log.filter((line) => line.startsWith('PATCH'))).toEqual(['PATCH /auth/user 401']);
    expect(await names()).toEqual(['', '']);
  });

  test('is not sent if another user signs in while it waits for its turn', async () => {
    await app.signedUp('other@example.com');
    const { promise, resolve: answer } = Promise.withResolvers<void>();
    const other = apps.newClient(store);
    network.pause = (path) => (path === '/auth/login' ? promise : undefined);
    const entered = other.login({ email: 'other@example.com', password: PASSWORD });
    await vi.waitFor(async () => expect(await app.liveSessions()).toBe(3));
    const left = failure(client.logoutAll());
    answer();
    await entered;
    expect(await left).toMatchObject({ code: 'user_changed', status: 401 });
    expect([(await client.getUser()).email, (await other.getUser()).email]).toEqual(Array(2).fill('other@example.com'));
    expect(await app.liveSessions()).toBe(3);
  });

  test('is not sent if the refresh token in the store belongs to another user by then', async () => {
    const other = await app.signedUp('other@example.com');
    await store.set(other.refreshToken);
    app.clock.advance('11m');
    moveClientClock(11 * MINUTE);
    expect(await failure(client.updateUser({ firstName: 'Ada' }))).toMatchObject({
      code: 'user_changed',
      status: 401,
      isTemporary: false,
    });
    expect(await names()).toEqual(['', '']);
    expect((await client.getUser()).email).toBe('other@example.com');
  });
});

describe('a client with its options and listeners', () => {
  test('notifies its other listeners when one throws', async () => {
    const thrown: unknown[] = [];
    const queue = queueMicrotask;
    vi.stubGlobal('queueMicrotask', (task: () => void) =>
      queue(() => {
        try {
          task();
        } catch (error) {
          thrown.push(error);
        }
      }),
    );
    await start();
    const states: string[] = [];
    client.subscribe(() => {
      throw new Error('a mistake of the app');
    });
    client.subscribe(() => states.push(client.state.status));
    await client.register({ email: EMAIL, password: PASSWORD });
    await client.logout();
    expect(states).toEqual(['signed-in', 'signed-out']);
    expect(thrown).toEqual(Array(2).fill(new Error('a mistake of the app')));
  });

  test('is signed out even if the store cannot delete the refresh token', async () => {
    const store = memoryStore();
    await start(
      { refreshTokenAsCookie: false },
      storeIn({
        ...store,
        set: (token) => {
          if (!token) throw new Error('no storage');
          return store.set(token);
        },
      }),
    );
    await client.register({ email: EMAIL, password: PASSWORD });
    await expect(client.logout()).rejects.toThrow('no storage');
    expect(client.state).toEqual({ status: 'signed-out', reason: undefined });
    expect(await client.accessToken()).toBeUndefined();
  });

  test('refuses to work if its store does not match how the server sends refresh tokens', async () => {
    await start({ refreshTokenAsCookie: false });
    await expect(client.register({ email: EMAIL, password: PASSWORD })).rejects.toThrow(
      'The server does not match `store`.',
    );
    await app.close();
    await start({}, memoryStore());
    await expect(client.register({ email: EMAIL, password: PASSWORD })).rejects.toMatchObject({
      code: 'bad_request',
      message: 'The header Auth-Transport must be cookie here.',
    });
    expect((await app.database.pool.query('select 1 from app_user')).rows).toEqual([]);
  });

  test('sends the access token only to its own origin and to those in `origins`', async () => {
    await start();
    await client.register({ email: EMAIL, password: PASSWORD });
    const elsewhere = app.url.replace('127.0.0.1', 'localhost');
    await expect(client.fetch(`${elsewhere}/auth/user`)).rejects.toThrow(/^Not in `origins`: http:\/\/localhost/);
    expect(network.log).toEqual(['POST /auth/registration 201']);
    const open = new AuthClient({ url: `${app.url}/auth`, fetch: network.fetch, origins: [elsewhere] });
    expect((await open.fetch(`${elsewhere}/auth/user`)).status).toBe(200);
  });

  test('does not show its token when it is printed', async () => {
    await start({ refreshTokenAsCookie: false }, memoryStore());
    await client.register({ email: EMAIL, password: PASSWORD });
    const token = await client.accessToken();
    const { inspect } = await import('node:util');
    expect(inspect(client, { depth: 9, showHidden: true, getters: true })).not.toContain(token);
    expect(JSON.stringify(client)).not.toContain(token?.slice(0, 20));
  });
});
