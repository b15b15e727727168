import { decodeJwt } from 'jose';
import { afterEach, expect, test } from 'vitest';
import type { AuthEventMap, SettingsInput } from '../../src/index.js';
import { athOf, BoundClient, ProofSigner } from '../support/bound-client.js';
import { expectProblem } from '../support/expect-problem.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

let app: TestApp;
let refused: AuthEventMap['session.binding-refused'][];
afterEach(() => app.close());

async function start(settings: SettingsInput = {}): Promise<void> {
  app = await createTestApp({ settings });
  refused = [];
  app.auth.events.on('session.binding-refused', (event) => refused.push(event));
}

let count = 0;
async function bound(): Promise<BoundClient> {
  const client = await BoundClient.of(app);
  expect((await client.register(`bound${++count}@example.com`)).status).toBe(201);
  return client;
}

const cnf = (token: string) => decodeJwt(token)['cnf'];
const row = async () => (await app.sessions()).at(-1) as Record<string, unknown> | undefined;

test('a sign-up, a sign-in and a refresh with a proof bind both tokens to its key', async () => {
  await start();
  const client = await bound();
  const jkt = client.key.thumbprint;
  expect([cnf(client.access), cnf(client.refreshToken)]).toEqual([{ jkt }, { jkt }]);
  expect(await row()).toMatchObject({ key_thumbprint: jkt, proofs: null });
  expect((await client.refresh()).status).toBe(200);
  expect([cnf(client.access), cnf(client.refreshToken)]).toEqual([{ jkt }, { jkt }]);
  expect(await row()).toMatchObject({ key_thumbprint: jkt, proofs: [expect.any(String)] });

  const other = await BoundClient.of(app);
  expect((await other.login(`bound${count}@example.com`)).status).toBe(200);
  expect(cnf(other.access)).toEqual({ jkt: other.key.thumbprint });
});

test('a copied token is refused without a proof and with a proof by another key, and ends nothing', async () => {
  await start();
  const owner = await bound();
  for (const thief of [await owner.stolenBy(), await owner.stolenBy(await ProofSigner.create())]) {
    const answer = await thief.refresh();
    expectProblem(answer, 401, 'dpop_proof_invalid');
    expect(answer.headers.get('www-authenticate')).toMatch(/^DPoP error="invalid_dpop_proof", /);
    expect(answer.cookie).toBeUndefined();
  }
  const { sub: user, session } = decodeJwt(owner.access);
  expect(refused).toEqual([
    { reason: 'proof-missing', session, user, at: expect.any(Date) },
    { reason: 'proof-of-another-key', session, user, at: expect.any(Date) },
  ]);
  expect((await owner.refresh()).status).toBe(200);
  expect(app.events).toEqual([]);
});

test('the parent gets the same successor after a year, until the successor is used; then it is a replay', async () => {
  await start({ refreshTokenLifetime: '800d' });
  const client = await bound();
  const parent = client.refreshToken;
  await client.refresh();
  const successor = client.refreshToken;
  app.clock.advance(365 * 86_400);
  for (let retry = 0; retry < 3; retry++) {
    client.refreshToken = parent;
    expect((await client.refresh()).status).toBe(200);
    expect(decodeJwt(client.refreshToken).jti).toBe(decodeJwt(successor).jti);
  }
  expect((await client.refresh()).status).toBe(200);
  client.refreshToken = parent;
  expectProblem(await client.refresh(), 401, 'refresh_token_reused');
  expect(await app.liveSessions()).toBe(0);
});

test('a proof that was used before is refused with the live token and with its parent', async () => {
  await start();
  const client = await bound();
  const parent = client.refreshToken;
  const dpop = await client.proof('POST', '/auth/refresh');
  expect((await client.refresh({ dpop })).status).toBe(200);
  const live = client.refreshToken;
  for (const token of [live, parent]) {
    client.refreshToken = token;
    expectProblem(await client.refresh({ dpop }), 401, 'dpop_proof_invalid');
  }
  expect(refused.map(({ reason }) => reason)).toEqual(['proof-replayed', 'proof-replayed']);
  client.refreshToken = live;
  expect((await client.refresh()).status).toBe(200);
});

test('a wrong clock is answered with a nonce, which works on another server too', async () => {
  await start();
  const client = await bound();
  for (const hours of [-5, 5]) {
    const iat = Math.floor(app.clock.now() / 1000) + hours * 3600;
    const refusal = await client.refresh({ dpop: await client.proof('POST', '/auth/refresh', { claims: { iat } }) });
    expectProblem(refusal, 401, 'use_dpop_nonce');
    expect(refusal.headers.get('www-authenticate')).toMatch(/^DPoP error="use_dpop_nonce", /);
    const nonce = refusal.headers.get('dpop-nonce');
    const other = await createTestApp({ database: app.database });
    other.clock.set(new Date(app.clock.now()));
    const elsewhere = Object.assign(await BoundClient.of(other, client.key), { refreshToken: client.refreshToken });
    const dpop = await elsewhere.proof('POST', '/auth/refresh', { claims: { iat, nonce } });
    expect((await elsewhere.refresh({ dpop })).status).toBe(200);
    client.refreshToken = elsewhere.refreshToken;
    await other.close();
  }
  expect(refused).toEqual([]);
});

test('the first refresh with a proof binds a session that was opened without one', async () => {
  await start();
  const unbound = await app.signedUp('first@example.com');
  const before = unbound.refreshToken;
  const client = Object.assign(await BoundClient.of(app), { refreshToken: before });
  expect((await client.refresh()).status).toBe(200);
  expect(cnf(client.refreshToken)).toEqual({ jkt: client.key.thumbprint });
  // Until the successor is used, the token from before the binding needs the key as well.
  expectProblem(await unbound.refresh(), 401, 'dpop_proof_invalid');
  client.refreshToken = before;
  expect((await client.refresh()).status).toBe(200);
  expect((await client.refresh()).status).toBe(200);
  expectProblem(await unbound.refresh(), 401, 'refresh_token_reused');
  expect(await app.liveSessions()).toBe(0);
});

test('with required, a sign-in needs a proof before anything happens, and so does every refresh', async () => {
  await start({ dpop: 'required' });
  expectProblem(await app.client().register('none@example.com'), 400, 'dpop_proof_missing');
  expect((await app.database.pool.query('select 1 from app_user')).rows).toEqual([]);
  const client = await bound();
  expect((await client.refresh()).status).toBe(200);
  expectProblem(await (await client.stolenBy()).refresh(), 401, 'dpop_proof_invalid');
});

test('with required, the refusal of a session that has no key yet does not say that it has one', async () => {
  await start({ dpop: 'required' });
  const { sub = '' } = decodeJwt((await bound()).refreshToken);
  const { refresh } = await app.auth.sessions.open({ id: sub }, { client: { isPage: true } });
  const answer = await Object.assign(app.client(), { refreshToken: refresh }).refresh();
  expectProblem(answer, 401, 'dpop_proof_invalid');
  expect(answer.body.detail).toBe('The request has no DPoP proof, which this session needs.');
});

test('with off, a proof binds nothing, but a bound session still needs its key', async () => {
  await start();
  const client = await bound();
  const off = await createTestApp({ database: app.database, settings: { dpop: 'off' } });
  off.clock.set(new Date(app.clock.now()));
  const owner = Object.assign(await BoundClient.of(off, client.key), { refreshToken: client.refreshToken });
  expectProblem(await (await owner.stolenBy()).refresh(), 401, 'dpop_proof_invalid');
  expect((await owner.refresh()).status).toBe(200);
  const other = await BoundClient.of(off);
  await other.login(`bound${count}@example.com`, undefined, { dpop: 'not a proof' });
  expect(cnf(other.access)).toBeUndefined();
  expect((await other.refresh()).status).toBe(200);
  expect(cnf(other.access)).toBeUndefined();
  await off.close();
});

test('a proof opens one session; a refused sign-in does not use it up', async () => {
  await start();
  const client = await bound();
  const email = `bound${count}@example.com`;
  const dpop = await client.proof('POST', '/auth/login');
  expectProblem(await client.login(email, 'a wrong sentence', { dpop }), 401, 'incorrect_credentials');
  expect((await client.login(email, undefined, { dpop })).status).toBe(200);
  const before = await app.sessions();
  expectProblem(await client.login(email, undefined, { dpop }), 401, 'dpop_proof_invalid');
  expect(await app.sessions()).toEqual(before);
});

test('a re-authentication of a bound session needs a proof by its key', async () => {
  await start();
  const client = await bound();
  const body = { password: 'a sentence qxvz' };
  const thief = await client.stolenBy();
  expectProblem(await thief.send('POST', '/auth/reauthenticate', body, client.bearer), 401, 'dpop_proof_invalid');
  const answer = await client.send('POST', '/auth/reauthenticate', body, client.bearer);
  expect([answer.status, cnf(answer.body.access)]).toEqual([200, { jkt: client.key.thumbprint }]);
});

test('with ACCESS_TOKEN_BINDING the answer to a re-authentication says how to send the new token', async () => {
  await start({ accessTokenBinding: true });
  const client = await bound();
  const dpop = await client.proof('POST', '/auth/reauthenticate', { claims: { ath: athOf(client.access) } });
  const headers = { authorization: `DPoP ${client.access}`, dpop };
  const { body } = await client.send('POST', '/auth/reauthenticate', { password: 'a sentence qxvz' }, headers);
  expect([cnf(body.access), body.token_type]).toEqual([{ jkt: client.key.thumbprint }, 'DPoP']);
});

test('with ACCESS_TOKEN_BINDING an access token needs its scheme and a proof, once', async () => {
  await start({ accessTokenBinding: true });
  const client = await bound();
  const ath = athOf(client.access);
  const get = async (scheme: string, dpop?: string) =>
    client.send('GET', '/auth/user', undefined, { authorization: `${scheme} ${client.access}`, ...(dpop && { dpop }) });
  const proof = () => client.proof('GET', '/auth/user', { claims: { ath } });
  expectProblem(await get('Bearer'), 401, 'dpop_proof_invalid');
  expectProblem(await get('Bearer', await proof()), 401, 'dpop_proof_invalid');
  expectProblem(await get('DPoP'), 401, 'dpop_proof_invalid');
  expectProblem(await get('DPoP', await client.proof('GET', '/auth/user')), 401, 'dpop_proof_invalid');
  const dpop = await proof();
  expect((await get('DPoP', dpop)).status).toBe(200);
  expectProblem(await get('DPoP', dpop), 401, 'dpop_proof_invalid');
  const headers = { authorization: `DPoP ${client.access}` };
  const change = { oldPassword: 'a sentence qxvz', newPassword: 'another sentence qxvz' };
  const forPost = await client.proof('POST', '/auth/password/change', { claims: { ath } });
  const changed = await client.send('POST', '/auth/password/change', change, { ...headers, dpop: forPost });
  expect([changed.status, changed.body.token_type]).toEqual([200, 'DPoP']);

  const unbound = app.client();
  await unbound.login(`bound${count}@example.com`, 'another sentence qxvz');
  expect((await unbound.get('/auth/user')).status).toBe(200);
});

test('a refused access token gets the challenge of its scheme', async () => {
  const challenge = async (authorization: string) => {
    const { headers, body } = await app.client().send('GET', '/auth/user', undefined, { authorization });
    return [body.code, headers.get('www-authenticate')];
  };
  const fault = 'error="invalid_token", error_description="The token is not valid."';
  const bearer = ['token_not_valid', `Bearer ${fault}`];
  await start({ accessTokenBinding: true });
  const { access } = await bound();
  app.clock.advance('1h');
  const dpop = ['token_not_valid', `DPoP ${fault}, algs="ES256 ES384 EdDSA RS256 PS256"`];
  expect([await challenge(`DPoP ${access}`), await challenge('dpop forged')]).toEqual([dpop, dpop]);
  expect([await challenge(`Bearer ${access}`), await challenge('Bearer forged')]).toEqual([bearer, bearer]);
  await start({ accessTokenBinding: false });
  expect(await challenge('Bearer forged')).toEqual(bearer);
  expect(await challenge('DPoP forged')).toEqual(['not_authenticated', 'Bearer']); // a scheme that it does not know
});
