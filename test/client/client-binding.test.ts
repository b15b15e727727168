import { calculateJwkThumbprint } from 'jose';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AuthClient, type AuthClientOptions, type KeyPlace, type KeySlot } from '../../src/client/index.js';
import { memoryKeys } from '../../src/client/keys.js';
import { memoryStore, type RefreshTokenStore } from '../../src/client/store.js';
import { failure } from '../support/client-apps.js';
import { DpopServer } from '../support/dpop-server.js';

const ADA = { email: 'ada@example.com', password: 'a sentence of some length' };
const GRACE = { ...ADA, email: 'grace@example.com' };

let server: DpopServer;
let store: RefreshTokenStore;
let keys: KeyPlace;
const clients: AuthClient[] = [];

beforeEach(async () => {
  server = await DpopServer.start();
  store = memoryStore();
  keys = memoryKeys();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  for (const each of clients.splice(0)) each.close();
  server.close();
});

/** A client that has just been started. It finds what an earlier one has left in the stores. */
function start(options: Partial<AuthClientOptions> = {}): AuthClient {
  const client = new AuthClient({ url: `${server.url}/auth`, store, keys, ...options });
  clients.push(client);
  return client;
}

/** Lets the pauses between the attempts to refresh pass ten times as fast. */
const hurry = () =>
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout'], shouldAdvanceTime: true, advanceTimeDelta: 200 });

const thumbprint = async (slot: KeySlot) => {
  const key = await keys.load(slot);
  return key && calculateJwkThumbprint({ ...key.publicJwk });
};

describe('a client with a place for keys', () => {
  test('binds each session to a key of its own, and removes the key when the user signs out', async () => {
    const client = start();
    expect(await client.restore()).toEqual({ status: 'signed-out', reason: undefined });
    await client.login(ADA);
    const first = server.keys;
    expect(first).toEqual([await thumbprint('current')]);
    expect(await client.refresh()).toMatchObject({ status: 'signed-in' });
    await client.login(GRACE);
    expect(server.keys).toEqual([...first, await thumbprint('current')]);
    expect(new Set(server.keys).size).toBe(2);
    expect(await client.refresh()).toMatchObject({ claims: { sub: GRACE.email } });
    await client.logout();
    expect([await keys.load('current'), await keys.load('next')]).toEqual([undefined, undefined]);
    expect(server.log).toEqual([
      'POST /auth/login 200 proof',
      'POST /auth/refresh 200 proof',
      'POST /auth/login 200 proof',
      'POST /auth/refresh 200 proof',
      'POST /auth/logout 204',
    ]);
  });

  test('keeps the key of the session through a sign-in that fails, and a restart', async () => {
    const client = start();
    await client.login(ADA);
    const key = await thumbprint('current');
    expect(await failure(client.login({ ...GRACE, password: 'wrong' }))).toMatchObject({
      code: 'incorrect_credentials',
    });
    expect(await client.refresh()).toMatchObject({ claims: { sub: ADA.email } });
    expect(await start().restore()).toMatchObject({ claims: { sub: ADA.email } });
    expect([server.keys, await thumbprint('current')]).toEqual([[key], key]);
    expect(server.log.filter((line) => line.includes('401'))).toEqual(['POST /auth/login 401 proof']);
  });

  test('binds a session that began without a key at its first refresh', async () => {
    await start({ keys: false }).login(ADA);
    expect(server.keys).toEqual([undefined]);
    const client = start();
    expect(await client.restore()).toMatchObject({ status: 'signed-in' });
    expect(server.keys).toEqual([await thumbprint('current')]);
    expect(await client.refresh()).toMatchObject({ status: 'signed-in' });
    expect(server.log.slice(1)).toEqual(Array(2).fill('POST /auth/refresh 200 proof'));
  });

  test('finds the key of a session if it was killed before it kept the answer of the sign-in', async () => {
    await start().login(ADA);
    const { store: keep } = keys;
    const killed = vi.spyOn(keys, 'store');
    killed.mockImplementation((slot, key) => (slot === 'next' ? keep(slot, key) : new Promise(() => {})));
    void start().login(GRACE);
    await vi.waitFor(() => expect(killed).toHaveBeenCalledTimes(2));
    killed.mockRestore();
    await store.set([...server.sessions.values()].at(-1)?.tokens[0]);
    server.log.length = 0;
    const client = start();
    expect(await client.restore()).toMatchObject({ claims: { sub: GRACE.email } });
    expect(server.keys.at(-1)).toBe(await thumbprint('current'));
    expect(await keys.load('next')).toBeUndefined();
    await client.refresh();
    expect(server.log).toEqual([
      'POST /auth/refresh 401 proof',
      'POST /auth/refresh 200 proof',
      'POST /auth/refresh 200 proof',
    ]);
  });

  test('stays signed in when every answer to a refresh is lost, however long', async () => {
    hurry();
    const client = start();
    await client.login(ADA);
    for (const hours of [1, 24, 24 * 20]) {
      server.lost.push(...Array(4).fill('/auth/refresh'));
      const failed = failure(client.refresh());
      await vi.waitFor(() => expect(server.lost).toEqual([]), { timeout: 20_000 });
      expect(await failed).toMatchObject({ code: 'network_error' });
      vi.setSystemTime(Date.now() + hours * 3_600_000);
      expect(await client.refresh()).toMatchObject({ status: 'signed-in' });
    }
    expect(server.sessions.size).toBe(1);
  });

  test('stays signed in on a network that repeats each request by itself and loses the first answers', async () => {
    const client = start();
    await client.login(ADA);
    server.doubled.push('/auth/refresh', '/auth/refresh');
    expect(await failure(client.refresh())).toMatchObject({ code: 'dpop_proof_invalid', message: 'proof-replayed' });
    expect(client.state).toMatchObject({ status: 'signed-in' });
    expect(await client.refresh()).toMatchObject({ status: 'signed-in' });
    expect(server.sessions.size).toBe(1);
  });

  test('stays signed in on a network that repeats a request by itself and loses the first answer', async () => {
    const client = start();
    server.doubled.push('/auth/login', '/auth/refresh');
    await client.login(ADA);
    expect(await client.refresh()).toMatchObject({ status: 'signed-in' });
    expect(server.keys.at(-1)).toBe(await thumbprint('current'));
    expect(server.log).toEqual([
      'POST /auth/login 401 proof',
      'POST /auth/login 200 proof',
      'POST /auth/refresh 401 proof',
      'POST /auth/refresh 200 proof',
    ]);
  });

  test('is signed out with a reason when the key of the session is lost, and can sign in again', async () => {
    const client = start();
    await client.login(ADA);
    keys = memoryKeys();
    const states: string[] = [];
    const restarted = start();
    restarted.subscribe(() => states.push(restarted.state.status));
    expect(await restarted.restore()).toEqual({ status: 'signed-out', reason: 'dpop_proof_invalid' });
    expect(server.sessions.size).toBe(1); // nothing has ended at the server
    expect(server.log.slice(1)).toEqual(['POST /auth/refresh 401 proof']); // the answer without a proof is known
    expect(await restarted.login(ADA)).toMatchObject({ status: 'signed-in' });
    expect(await restarted.refresh()).toMatchObject({ status: 'signed-in' });
    expect(server.keys.at(-1)).toBe(await thumbprint('current'));
  });

  test('removes the key of a session that the server has ended', async () => {
    const client = start();
    await client.login(ADA);
    server.sessions.clear();
    expect(await client.refresh()).toEqual({ status: 'signed-out', reason: 'token_not_valid' });
    expect(await keys.load('current')).toBeUndefined();
  });

  test('makes one key for many sign-ins at the same time', async () => {
    const create = vi.spyOn(keys, 'create');
    const client = start();
    await Promise.all([client.login(ADA), client.login(ADA), client.refresh(), client.login(ADA)]);
    expect(await client.refresh()).toMatchObject({ status: 'signed-in' });
    expect(server.keys.at(-1)).toBe(await thumbprint('current'));
    expect(create.mock.calls.length).toBeLessThanOrEqual(3);
    expect(server.log.filter((line) => !line.endsWith('200 proof'))).toEqual([]);
  });
});

describe('a place for keys that fails', () => {
  const locked = new Error('the keystore is locked');
  const lock = (method: keyof KeyPlace) => vi.spyOn(keys, method).mockRejectedValue(locked);

  test.each(['create', 'load', 'store'] as const)('in %s lets the user sign in, without a key', async (method) => {
    lock(method);
    const client = start();
    expect(await client.login(ADA)).toMatchObject({ status: 'signed-in' });
    expect(await client.refresh()).toMatchObject({ status: 'signed-in' });
    await client.logout();
    expect(server.log).toEqual(['POST /auth/login 200', 'POST /auth/refresh 200', 'POST /auth/logout 204']);
  });

  test('to sign lets the user sign in, without a key', async () => {
    vi.spyOn(keys, 'create').mockResolvedValue({
      alg: 'ES256',
      publicJwk: {},
      sign: () => Promise.reject(locked),
    });
    expect(await start().login(ADA)).toMatchObject({ status: 'signed-in' });
    expect(server.log).toEqual(['POST /auth/login 200']);
  });

  test('while a session is bound does not end it', async () => {
    const client = start();
    await client.login(ADA);
    hurry();
    const broken = lock('load');
    const restarted = start();
    expect(await failure(restarted.restore())).toMatchObject({ code: 'network_error', cause: locked });
    expect(restarted.state).toEqual({ status: 'unknown' });
    broken.mockRestore();
    expect(await restarted.restore()).toMatchObject({ status: 'signed-in' });
    const key = await keys.load('current');
    vi.spyOn(keys, 'load').mockResolvedValue({
      alg: 'ES256',
      publicJwk: {},
      ...key,
      sign: () => Promise.reject(locked),
    });
    expect(await failure(restarted.refresh())).toMatchObject({ code: 'network_error', cause: locked });
    expect(restarted.state).toMatchObject({ status: 'signed-in' });
    expect(server.sessions.size).toBe(1);
  });

  test('to remove the key does not keep the user signed in', async () => {
    const client = start();
    await client.login(ADA);
    lock('remove');
    await client.logout();
    expect(client.state).toEqual({ status: 'signed-out', reason: undefined });
    expect(await client.login(GRACE)).toMatchObject({ status: 'signed-in' });
    expect(await client.refresh()).toMatchObject({ claims: { sub: GRACE.email } });
  });
});

describe('a server or proxy that refuses every proof', () => {
  beforeEach(() => {
    server.rewrite = (path) => `/api${path}`;
  });

  test('gets requests without one, first with the second request, and the user stays signed in', async () => {
    const client = start();
    expect(await client.login(ADA)).toMatchObject({ status: 'signed-in' });
    expect(await client.refresh()).toMatchObject({ status: 'signed-in' });
    expect(await client.login(GRACE)).toMatchObject({ status: 'signed-in' });
    expect(server.log).toEqual([
      'POST /auth/login 401 proof',
      'POST /auth/login 401 proof',
      'POST /auth/login 200',
      'POST /auth/refresh 200',
      'POST /auth/login 200',
    ]);
  });

  test('causes the error that names the proof if the server requires one', async () => {
    server.isRequired = true;
    expect(await failure(start().login(ADA))).toMatchObject({ code: 'dpop_proof_invalid', status: 401 });
  });

  test('does not sign out a client whose session is bound, so that a correction brings the session back', async () => {
    server.rewrite = (path) => path;
    const client = start();
    await client.login(ADA);
    const key = await thumbprint('current');
    server.rewrite = (path) => `/api${path}`;
    server.log.length = 0;
    const reason = { code: 'dpop_proof_invalid', message: 'proof-for-another-url', isTemporary: false };
    expect(await failure(client.refresh())).toMatchObject(reason);
    expect(client.state).toMatchObject({ status: 'signed-in', claims: { sub: ADA.email } });
    // Answers in React Native have no `body`.
    const fetch = async (request: Request) =>
      Object.defineProperty(await globalThis.fetch(request), 'body', { value: undefined });
    const restarted = start({ fetch });
    expect(await failure(restarted.restore())).toMatchObject(reason);
    expect(restarted.state).toEqual({ status: 'unknown' });
    const refused = ['POST /auth/refresh 401 proof', 'POST /auth/refresh 401 proof', 'POST /auth/refresh 401'];
    expect(server.log).toEqual([...refused, ...refused]);
    server.rewrite = (path) => path;
    expect(await restarted.restore()).toMatchObject({ status: 'signed-in', claims: { sub: ADA.email } });
    expect(await client.refresh()).toMatchObject({ status: 'signed-in' });
    expect([server.keys, await thumbprint('current')]).toEqual([[key], key]);
  });

  test('does not tell a client without a key that the session has ended', async () => {
    server.rewrite = (path) => path;
    await start().login(ADA);
    server.rewrite = (path) => `/api${path}`;
    keys = memoryKeys();
    const client = start();
    expect(await failure(client.restore())).toMatchObject({ code: 'dpop_proof_invalid' });
    expect(client.state).toEqual({ status: 'unknown' });
    server.rewrite = (path) => path;
    expect(await client.restore()).toEqual({ status: 'signed-out', reason: 'dpop_proof_invalid' });
  });

  test('does not sign out a client whose session is not bound', async () => {
    await start({ keys: false }).login(ADA);
    const client = start();
    expect(await client.restore()).toMatchObject({ status: 'signed-in' });
    expect(await client.refresh()).toMatchObject({ status: 'signed-in' });
  });
});

describe('a clock that is wrong by hours', () => {
  test.each([-5 * 3600, 5 * 3600])('costs one more request each time (server %d s ahead)', async (seconds) => {
    server.ahead = seconds;
    const client = start();
    await client.login(ADA);
    await client.refresh();
    await client.refresh();
    expect(await start().restore()).toMatchObject({ status: 'signed-in' });
    expect(server.keys).toEqual([await thumbprint('current')]);
    expect(server.log).toEqual([
      'POST /auth/login 401 proof',
      'POST /auth/login 200 proof',
      'POST /auth/refresh 200 proof',
      'POST /auth/refresh 200 proof',
      'POST /auth/refresh 401 proof', // of the client that was restarted
      'POST /auth/refresh 200 proof',
    ]);
  });

  test('of a page that cannot read the nonce lets the user sign in, without a key', async () => {
    server.ahead = 7200;
    server.isNonceHidden = true;
    const client = start();
    expect(await client.login(ADA)).toMatchObject({ status: 'signed-in' });
    expect(await client.refresh()).toMatchObject({ status: 'signed-in' });
    expect(server.keys).toEqual([undefined]);
  });

  test('of a page that cannot read the nonce does not end a bound session', async () => {
    const client = start();
    await client.login(ADA);
    server.ahead = 7200;
    server.isNonceHidden = true;
    expect(await failure(client.refresh())).toMatchObject({ code: 'use_dpop_nonce', status: 401 });
    expect(client.state).toMatchObject({ status: 'signed-in' });
    server.ahead = 0;
    expect(await client.refresh()).toMatchObject({ status: 'signed-in' });
  });
});

describe('an access token that is bound to the key', () => {
  const order = (client: AuthClient) =>
    client.fetch(`${server.url}/orders?all`, { method: 'PUT', body: '{"ordered":1}' }).then((answer) => answer.json());

  beforeEach(() => {
    server.isTokenBound = true;
  });

  test('is sent with a proof, also by a client that has been restarted', async () => {
    const client = start();
    await client.login(ADA);
    expect(await order(client)).toEqual({ user: ADA.email, method: 'PUT', ordered: 1 });
    expect(await order(start())).toEqual({ user: ADA.email, method: 'PUT', ordered: 1 });
    await client.call('POST', '/reauthenticate', { body: {}, isBearer: true, effect: 'renewal' });
    expect((await client.getUser()).email).toBeUndefined();
    expect(server.log.filter((line) => !line.endsWith('200 proof'))).toEqual([]);
  });

  test('brings no nonce of another server into the proofs for this one', async () => {
    const nonces: unknown[] = [];
    const fetch = async (request: Request) => {
      const [, claims = ''] = (request.headers.get('dpop') ?? '').split('.');
      nonces.push(JSON.parse(Buffer.from(claims, 'base64url').toString()).nonce);
      const isForeign = request.url.startsWith('https://other.test/');
      return isForeign ? Response.json({}, { headers: { 'DPoP-Nonce': 'n'.repeat(5000) } }) : globalThis.fetch(request);
    };
    const client = start({ fetch, origins: ['https://other.test'] });
    await client.login(ADA);
    await client.fetch('https://other.test/orders');
    await client.refresh();
    expect(nonces).toEqual([undefined, undefined, undefined]);
  });

  test('is sent with the nonce if the clock is wrong', async () => {
    const client = start();
    await client.login(ADA);
    server.ahead = 7200;
    expect(await order(client)).toEqual({ user: ADA.email, method: 'PUT', ordered: 1 });
    expect(server.log.slice(1)).toEqual(['PUT /orders 401 proof', 'PUT /orders 200 proof']);
  });

  test('replaces a bearer token when the server begins to require it, and becomes one when it ends', async () => {
    server.isTokenBound = false;
    const client = start();
    await client.login(ADA);
    expect(await order(client)).toMatchObject({ user: ADA.email });
    server.isTokenBound = true;
    expect(await order(client)).toMatchObject({ user: ADA.email });
    server.isTokenBound = false;
    await client.refresh();
    expect(await order(client)).toMatchObject({ user: ADA.email });
    expect(server.log.slice(1)).toEqual([
      'PUT /orders 200',
      'PUT /orders 401',
      'POST /auth/refresh 200 proof',
      'PUT /orders 200 proof',
      'POST /auth/refresh 200 proof',
      'PUT /orders 200',
    ]);
  });
});

describe('a client', () => {
  test.each([
    ['outside of browsers without a place for keys', undefined],
    ['that is not to bind sessions', false],
    ['that is to use the storage of a browser where there is none', true],
  ])('%s sends no proof', async (_, option) => {
    const client = start({ keys: option as boolean });
    await client.login(ADA);
    await client.refresh();
    await client.logout();
    expect(server.log).toEqual(['POST /auth/login 200', 'POST /auth/refresh 200', 'POST /auth/logout 204']);
  });

  test('whose binding cannot be loaded signs in without it, and does not end a bound session', async () => {
    hurry();
    const bound = start();
    await bound.login(ADA);
    vi.doMock('../../src/client/binding.js', () => {
      throw new Error('404');
    });
    vi.resetModules();
    const loaded: typeof import('../../src/client/index.js') = await import('../../src/client/index.js');
    const client = new loaded.AuthClient({ url: `${server.url}/auth`, store, keys });
    expect(await failure(client.restore())).toMatchObject({ code: 'network_error' });
    expect(await client.login(GRACE)).toMatchObject({ status: 'signed-in' });
    expect(await client.refresh()).toMatchObject({ claims: { sub: GRACE.email } });
    expect(server.keys).toEqual([await thumbprint('current'), undefined]);
    vi.doUnmock('../../src/client/binding.js');
  });
});
