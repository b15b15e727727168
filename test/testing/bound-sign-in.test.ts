import { inspect } from 'node:util';
import { afterEach, expect, inject, test } from 'vitest';
import type { SettingsInput } from '../../src/index.js';
import { createTestDatabase, type SignedIn, startTestApp, type TestApp } from '../../src/testing/index.js';
import { ownContainer } from '../support/containers.js';
import { AppUser } from '../support/users.js';

let app: TestApp<AppUser>;
afterEach(() => app.close());

let count = 0;
async function start(settings: SettingsInput = {}): Promise<void> {
  const database = await createTestDatabase(inject('databaseUrl'));
  app = await startTestApp({ user: AppUser, settings, database, container: ownContainer(`bound-kit-${++count}`) });
}

/** A refresh by cookie. */
async function refresh({ cookie }: Pick<SignedIn, 'cookie'>, dpop?: string) {
  const headers = { cookie, ...(dpop && { dpop }) };
  const answer = await fetch(`${app.url}/auth/refresh`, { method: 'POST', headers });
  const { code, access = '' } = (await answer.json()) as { code?: string; access?: string };
  const [next = ''] = answer.headers.getSetCookie().map((line) => line.split(';')[0] ?? '');
  return { status: answer.status, code, access, cookie: next };
}

const proofOf = (client: SignedIn) => client.proof('POST', `${app.url}/auth/refresh?from=a-test#top`);
const keyIn = async (access: string) => (await app.auth.authenticate(access)).claims['cnf'];

test('a bound session is refreshed only with a proof of its client, which works once', async () => {
  await start();
  const [owner, other] = [await app.createUser(), await app.createUser()];
  const [client, stranger] = [await app.signIn(owner, { bound: true }), await app.signIn(other, { bound: true })];
  expect([client.isBound, await keyIn(client.access)]).toEqual([true, { jkt: expect.stringMatching(/^[\w-]{43}$/) }]);
  expect(await keyIn(stranger.access)).not.toEqual(await keyIn(client.access));
  for (const dpop of [undefined, proofOf(stranger)])
    expect(await refresh(client, dpop)).toMatchObject({ status: 401, code: 'dpop_proof_invalid' });
  const dpop = proofOf(client);
  const refreshed = await refresh(client, dpop);
  expect(refreshed).toMatchObject({ status: 200 });
  expect(await refresh(refreshed, dpop)).toMatchObject({ status: 401, code: 'dpop_proof_invalid' });
  app.clock.advance('1h');
  expect(await refresh(refreshed, proofOf(client))).toMatchObject({ status: 200 });
});

test('a session is not bound by default, and the first refresh with a proof binds it', async () => {
  await start();
  const client = await app.signIn(await app.createUser());
  expect([client.isBound, await keyIn(client.access)]).toEqual([false, undefined]);
  const { status, access, cookie } = await refresh(client, proofOf(client));
  expect([status, await keyIn(access)]).toEqual([200, { jkt: expect.any(String) }]);
  expect(await refresh({ cookie })).toMatchObject({ status: 401, code: 'dpop_proof_invalid' });
  expect(await refresh({ cookie }, proofOf(client))).toMatchObject({ status: 200 });
});

test('with DPOP=required a session is bound by default, and cannot be opened without a key', async () => {
  await start({ dpop: 'required' });
  const user = await app.createUser();
  const client = await app.signIn(user);
  const answer = await fetch(`${app.url}/auth/user`, { headers: client.headers });
  expect([client.isBound, answer.status]).toEqual([true, 200]);
  expect(await refresh(client, proofOf(client))).toMatchObject({ status: 200 });
  await expect(app.signIn(user, { bound: false })).rejects.toMatchObject({ code: 'dpop_proof_missing' });
});

test('with ACCESS_TOKEN_BINDING the headers and a proof let a request of a bound session pass', async () => {
  await start({ accessTokenBinding: true });
  const user = await app.createUser();
  const url = `${app.url}/auth/user`;
  const get = async (headers: Record<string, string>) => (await fetch(url, { headers })).status;
  const client = await app.signIn(user, { bound: true });
  expect(client.headers).toEqual({ authorization: `DPoP ${client.access}` });
  expect(await get(client.headers)).toBe(401);
  expect(await get({ ...client.headers, dpop: client.proof('GET', url) })).toBe(200);

  const { access } = await refresh(client, proofOf(client));
  const headers = { authorization: `DPoP ${access}` };
  expect(await get({ ...headers, dpop: client.proof('GET', url) })).toBe(401);
  expect(await get({ ...headers, dpop: client.proof('get', url, access) })).toBe(200);

  const unbound = await app.signIn(user);
  expect([unbound.headers, await get(unbound.headers)]).toEqual([{ authorization: `Bearer ${unbound.access}` }, 200]);
});

test('a proof needs an absolute URL, and printing the session shows no key', async () => {
  await start();
  const client = await app.signIn(await app.createUser(), { bound: true });
  expect(() => client.proof('POST', '/auth/refresh')).toThrow(TypeError);
  const shown = inspect({ client }, { depth: 9, showHidden: true, getters: true });
  expect(shown).toContain('redacted');
  expect(shown).not.toMatch(/PrivateKey|jwk|thumbprint/);
});
