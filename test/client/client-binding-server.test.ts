import { beforeEach, expect, test, vi } from 'vitest';
import { AuthClient, type KeyPlace } from '../../src/client/index.js';
import { memoryKeys } from '../../src/client/keys.js';
import { memoryStore, type RefreshTokenStore } from '../../src/client/store.js';
import { ClientApps, failure } from '../support/client-apps.js';
import type { ClientNetwork } from '../support/client-network.js';
import type { TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

const ADA = { email: 'ada@example.com', password: PASSWORD };

const apps = new ClientApps();
let app: TestApp;
let network: ClientNetwork;
let store: RefreshTokenStore;
let keys: KeyPlace;

beforeEach(async () => {
  ({ app, network } = await apps.start({ refreshTokenAsCookie: false, dpop: 'required', accessTokenBinding: true }));
  store = memoryStore();
  keys = memoryKeys();
});

/** An app on a phone that has just been started. */
const start = () => new AuthClient({ url: `${app.url}/auth`, fetch: network.fetch, store, keys });

/** Lets hours pass, on the phone and at the server. */
function pass(hours: number): void {
  app.clock.advance(hours * 3600);
  vi.setSystemTime(Date.now() + hours * 3_600_000);
}

test('an app that is killed in every refresh, with hours in between, stays signed in at a server that requires keys', async () => {
  await start().register(ADA);
  for (let times = 0; times < 5; times++) {
    const before = await store.get();
    await failure(
      start()
        .refresh()
        .then(() => Promise.reject(new Error('killed'))),
    );
    await store.set(before); // it was killed before it kept the answer
    pass(5);
    const client = start();
    expect(await client.restore()).toMatchObject({ status: 'signed-in' });
    expect((await client.getUser()).email).toBe(ADA.email);
  }
  expect(app.events.filter(({ reuse }) => reuse !== 'lost-response')).toEqual([]);
  expect(await app.liveSessions()).toBe(1);
});

test('an app signs in, proves who the user is, changes the password, and signs out everywhere, with proofs', async () => {
  const client = start();
  await client.register(ADA);
  const reauthenticate = { body: { password: PASSWORD }, isBearer: true, effect: 'renewal' } as const;
  await client.call('POST', '/reauthenticate', reauthenticate);
  await client.changePassword({ oldPassword: PASSWORD, newPassword: `another ${PASSWORD}` });
  await client.refresh();
  expect(await client.sessions()).toMatchObject([{ current: true }]);
  const { rows } = await app.database.pool.query('select distinct key_thumbprint from auth_session where enabled');
  expect(rows).toEqual([{ key_thumbprint: expect.stringMatching(/^[\w-]{43}$/) }]);
  await client.logoutAll();
  expect([await app.liveSessions(), await keys.load('current')]).toEqual([0, undefined]);
  expect(network.log.filter((line) => / [45]/.test(line))).toEqual([]);
});

test('a copy of the store without the key gets nothing, and the owner stays signed in', async () => {
  const client = start();
  await client.register(ADA);
  const copy = memoryStore();
  await copy.set(await store.get());
  const thief = new AuthClient({ url: `${app.url}/auth`, fetch: network.fetch, store: copy, keys: memoryKeys() });
  expect(await thief.restore()).toEqual({ status: 'signed-out', reason: 'dpop_proof_invalid' });
  expect(await client.refresh()).toMatchObject({ status: 'signed-in' });
  expect(app.events).toEqual([]);
});
