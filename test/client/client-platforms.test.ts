import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AccessToken } from '../../src/client/access-token.js';
import { AuthClient, AuthError } from '../../src/client/index.js';
import { memoryStore, storeIn } from '../../src/client/store.js';
import { ClientApps, failure } from '../support/client-apps.js';
import type { ClientNetwork } from '../support/client-network.js';
import type { TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

const ADA = { email: 'ada@example.com', password: PASSWORD };
const MINUTE = 60_000;

const apps = new ClientApps();
let app: TestApp;
let network: ClientNetwork;

async function start(refreshTokenAsCookie: boolean): Promise<void> {
  ({ app, network } = await apps.start({ refreshTokenAsCookie }));
}

describe('on a platform without browser APIs, such as React Native', () => {
  const { timeout, any } = AbortSignal;
  beforeEach(async () => {
    await start(false);
    class StubUrl extends URL {}
    Object.defineProperty(StubUrl.prototype, 'origin', {
      get: () => {
        throw new Error('URL.origin is not implemented');
      },
    });
    vi.stubGlobal('URL', StubUrl);
    for (const name of ['navigator', 'localStorage', 'BroadcastChannel']) vi.stubGlobal(name, undefined);
    Object.assign(AbortSignal, { timeout: undefined, any: undefined });
  });
  afterEach(() => void Object.assign(AbortSignal, { timeout, any }));

  /** A client of a server that answers with tokens, and the requests it has sent. */
  function newStub() {
    const claims = Buffer.from(JSON.stringify({ sub: '1', session: 's', name: 'Zoë 東京 👋', iat: 1, exp: 601 }));
    const sent: string[] = [];
    const client = new AuthClient<{ name: string }>({
      url: 'https://api.example.com/auth',
      store: memoryStore(),
      fetch: async ({ method, url }) => {
        sent.push(`${method} ${url}`);
        const tokens = { access: `e30.${claims.toString('base64url')}.${sent.length}`, refresh: 'r' };
        return new Response(JSON.stringify(tokens));
      },
    });
    return { client, sent };
  }

  test('a client signs in, renews, calls the API and signs out, and reads claims beyond ASCII', async () => {
    const { client, sent } = newStub();
    expect(await client.login(ADA)).toMatchObject({ claims: { name: 'Zoë 東京 👋' } });
    vi.setSystemTime(Date.now() + 11 * MINUTE);
    expect((await client.fetch('https://api.example.com/orders')).status).toBe(200);
    await client.logout();
    expect(client.state).toEqual({ status: 'signed-out', reason: undefined });
    const paths = ['/auth/login', '/auth/refresh?quiet=true', '/orders', '/auth/logout'];
    expect(sent.map((line) => line.split('.com')[1])).toEqual(paths);
  });

  /** A client of a server that never answers. */
  function newSilenced() {
    return new AuthClient({
      url: 'https://api.example.com/auth',
      store: memoryStore(),
      fetch: ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    });
  }

  test('the client waits 30 seconds for an answer', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout'] });
    const settled = vi.fn();
    const failed = failure(newSilenced().login(ADA));
    failed.then(settled);
    await vi.advanceTimersByTimeAsync(29_999);
    expect(settled).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(await failed).toMatchObject({ code: 'network_error', isTemporary: true });
  });

  test('a request that its caller aborts fails with an error, even if the signal has no reason', async () => {
    vi.spyOn(AbortSignal.prototype, 'reason', 'get').mockReturnValue(undefined);
    const caller = new AbortController();
    const asked = failure(newSilenced().fetch('https://api.example.com/orders', { signal: caller.signal }));
    caller.abort();
    expect(await asked).toEqual(new Error('Aborted'));
  });

  test('the access token is not sent to a URL that only begins like the own origin', async () => {
    const { client, sent } = newStub();
    await client.login(ADA);
    for (const rest of ['.evil.example/', '@evil.example/', ':81/x']) {
      await expect(client.fetch(`https://api.example.com${rest}`)).rejects.toThrow(TypeError);
    }
    expect(sent).toHaveLength(1);
  });
});

describe('a refused token', () => {
  test('is replaced once for eight callers, and a later caller gets the new one without a request', async () => {
    await start(true);
    const client = apps.newClient();
    await client.register(ADA);
    const refused = (await client.accessToken()) as string;
    app.clock.advance('11m');
    const replaced = await Promise.all(Array.from({ length: 8 }, () => client.replaceToken(refused)));
    expect(new Set(replaced)).toEqual(new Set([await client.accessToken()]));
    expect(replaced[0]).not.toBe(refused);
    expect(await client.replaceToken(refused)).toBe(replaced[0]);
    expect(apps.refreshes()).toEqual(['POST /auth/refresh 200']);
  });

  test('is not replaced by that of another user, or if no user is signed in', async () => {
    await start(true);
    const client = apps.newClient();
    await client.register(ADA);
    const refused = (await client.accessToken()) as string;
    await client.register({ email: 'other@example.com', password: PASSWORD });
    expect(await client.replaceToken(refused)).toBeUndefined();
    await client.logout();
    expect(await client.replaceToken(refused)).toBeUndefined();
    expect(await failure(client.replaceToken('no token'))).toBeInstanceOf(AuthError);
    expect(apps.refreshes()).toEqual([]);
  });
});

test.each([
  ['throws', 'get'],
  ['throws', 'set'],
  ['rejects', 'get'],
  ['rejects', 'set'],
] as const)('a store that %s in %s fails the call with an AuthError', async (how, method) => {
  await start(false);
  const keychain = { ...memoryStore() };
  const client = apps.newClient(storeIn(keychain));
  await client.register(ADA);
  const cause = new Error('the keychain is locked');
  const broken = vi.spyOn(keychain, method).mockImplementation(() => {
    if (how === 'rejects') return Promise.reject(cause) as never;
    throw cause;
  });
  const error = await failure(client.logout());
  expect(error).toMatchObject({ name: 'AuthError', code: 'store_failed', status: 0, cause });
  broken.mockRestore();
});

test('a refresh token that a store has lost is the reason of the next sign-out', async () => {
  await start(false);
  const store = memoryStore();
  const client = apps.newClient(store);
  await client.register(ADA);
  await store.set(undefined);
  expect(await client.refresh()).toEqual({ status: 'signed-out', reason: 'refresh_token_missing' });
  expect(network.log).toEqual(['POST /auth/registration 201']);
});

test('a refresh token in a store is deleted when it is finally refused, and the client sends no more requests', async () => {
  await start(false);
  const store = memoryStore();
  const client = apps.newClient(store);
  await client.register(ADA);
  await app.database.pool.query('delete from auth_session');
  expect(await client.refresh()).toEqual({ status: 'signed-out', reason: 'token_not_valid' });
  await app.signedUp('meanwhile@example.com'); // longer than a request takes
  expect(network.log).toEqual(['POST /auth/registration 201', 'POST /auth/refresh 401']);
  expect(await store.get()).toBeUndefined();
});

test('an access token is renewed at a random time, a twentieth to a fifth of its life before its end', async () => {
  await start(true);
  const client = apps.newClient();
  await client.register(ADA);
  const text = (await client.accessToken()) as string;
  const [earliest, latest] = [new AccessToken(text, 0, 1), new AccessToken(text, 0, 0)];
  const secondsOf = (token: AccessToken) =>
    Array.from({ length: 601 }, (_, s) => s).find((s) => !token.isFresh(s * 1000));
  expect([secondsOf(earliest), secondsOf(latest)]).toEqual([480, 570]);
  const drawn = new Set(Array.from({ length: 200 }, () => secondsOf(new AccessToken(text, 0))));
  expect(drawn.size).toBeGreaterThan(30); // of 90 seconds, more than the grace of 10
});

test('an access token that lasts an hour is renewed in its last five minutes', () => {
  const text = `e30.${btoa(JSON.stringify({ iat: 1, exp: 3601 }))}.`;
  const isFresh = (chance: number, seconds: number) => new AccessToken(text, 0, chance).isFresh(seconds * 1000);
  expect([isFresh(1, 3299), isFresh(1, 3300)]).toEqual([true, false]);
  expect([isFresh(0, 3524), isFresh(0, 3525)]).toEqual([true, false]);
});
