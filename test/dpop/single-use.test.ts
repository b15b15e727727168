import { request } from 'node:http';
import { Authorized, CurrentUser, Get, JsonController, Post } from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Principal, SessionCheck, type SettingsInput } from '../../src/index.js';
import { athOf, BoundClient, ProofSigner } from '../support/bound-client.js';
import { fingerprint } from '../support/database-fingerprint.js';
import { expectProblem } from '../support/expect-problem.js';
import { claimsOf, sessionOf } from '../support/race.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/test-app.js';
import { type Answer, PASSWORD } from '../support/test-client.js';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.close());

let count = 0;
async function signedUp(at = app): Promise<{ client: BoundClient; email: string }> {
  const client = await BoundClient.of(at);
  const email = `used${++count}@example.com`;
  expect((await client.register(email)).status).toBe(201);
  return { client, email };
}

const rowOf = async (client: BoundClient) => (await app.sessions()).find(({ id }) => id === sessionOf(client));

/** Refreshes like a client: with a nonce if the server asks for one, once. @returns the proofs, the last one accepted */
async function refreshed(client: BoundClient): Promise<string[]> {
  const first = await client.proof('POST', '/auth/refresh');
  const answer = await client.refresh({ dpop: first });
  if (answer.status === 200) return [first];
  expectProblem(answer, 401, 'use_dpop_nonce');
  const nonce = answer.headers.get('dpop-nonce');
  const second = await client.proof('POST', '/auth/refresh', { claims: { nonce } });
  expect((await client.refresh({ dpop: second })).status).toBe(200);
  return [first, second];
}

describe('a session that refreshes more often than it remembers proofs', () => {
  /** The clock moves on by a millisecond, as between two requests. */
  const tick = () => app.clock.set(new Date(app.clock.now() + 1));

  test('asks for nonces, loses no refresh, and accepts no proof twice', async () => {
    app.clock.set(new Date(Math.ceil(app.clock.now() / 1000) * 1000)); // all are made in one second
    const { client } = await signedUp();
    const used: string[] = [];
    let asked = 0;
    for (let turn = 0; turn < 100; turn++) {
      tick();
      const proofs = await refreshed(client);
      asked += proofs.length - 1;
      used.push(...proofs);
    }
    // The first 32 proofs of a second find room. Of the next ones, most have a lower stamp than the lowest of these:
    // about 45 of 68, by the random numbers in their stamps.
    expect(asked).toBeGreaterThan(15);
    const before = await rowOf(client);
    for (const dpop of used) {
      const { status, body } = await client.copy().refresh({ dpop });
      expect([status, ['dpop_proof_invalid', 'use_dpop_nonce']]).toEqual([401, expect.arrayContaining([body.code])]);
    }
    expect(await rowOf(client)).toEqual(before);
    expect((await refreshed(client)).length).toBeLessThanOrEqual(2);
  });

  test('needs no nonce again six minutes later', async () => {
    const { client } = await signedUp();
    for (let asked = 0; asked < 32; ) {
      tick();
      asked += (await refreshed(client)).length - 1;
    }
    expect(await refreshed(client)).toHaveLength(2);
    app.clock.advance('6m');
    await refreshed(client);
    for (let turn = 0; turn < 20; turn++) expect(await refreshed(client)).toHaveLength(1);
  });

  test('gives all tabs of one moment one successor', async () => {
    const { client } = await signedUp();
    const { refreshToken } = client;
    const tabs = await Promise.all(
      Array.from({ length: 40 }, async () => Object.assign(await BoundClient.of(app, client.key), { refreshToken })),
    );
    const answers = await Promise.all(tabs.map((tab) => tab.refresh()));
    const late = tabs.filter((_, place) => answers[place]?.status !== 200);
    for (const tab of late) {
      tick();
      await refreshed(tab);
    }
    expect(new Set(tabs.map((tab) => claimsOf(tab.refreshToken).jti)).size).toBe(1);
    const { jti } = claimsOf(tabs[0]?.refreshToken ?? '');
    expect(await rowOf(client)).toMatchObject({ enabled: true, jti });
  });
});

/** A signature of ES256 with the other of its two forms: the same r, and n - s. */
function mirrored(proof: string): string {
  const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
  const [header, claims, signature = ''] = proof.split('.');
  const bytes = Buffer.from(signature, 'base64url');
  const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  const other = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]);
  return `${header}.${claims}.${other.toString('base64url')}`;
}

describe('a proof that was used', () => {
  let client: BoundClient;
  let email: string;
  beforeEach(async () => {
    app.clock.set(new Date(Math.ceil(app.clock.now() / 1000) * 1000));
    ({ client, email } = await signedUp());
  });

  /** The same proof, and others that its owner might take for new ones. */
  async function copiesOf(dpop: string, path: string): Promise<string[]> {
    const { jti } = claimsOf(dpop);
    const again = (claims: object) => client.proof('POST', path, { claims: { jti, ...claims } });
    const iat = Math.floor(app.clock.now() / 1000);
    return [
      dpop,
      mirrored(dpop),
      await again({}),
      await again({ more: 1 }),
      await again({ htu: `${app.url}${path}?x` }),
    ].concat(path === '/auth/refresh' ? [] : [await again({ iat: iat - 30 }), await again({ iat: iat + 30 })]);
  }

  test.each<[path: string, send: (dpop: string) => Promise<Answer>]>([
    ['/auth/refresh', (dpop) => client.refresh({ dpop })],
    ['/auth/login', (dpop) => app.client().login(email, PASSWORD, { dpop })],
    [
      '/auth/reauthenticate',
      (dpop) => client.send('POST', '/auth/reauthenticate', { password: PASSWORD }, { ...client.bearer, dpop }),
    ],
  ])('at %s is refused in any copy until it expires, and then as too old', async (path, send) => {
    const dpop = await client.proof('POST', path);
    expect((await send(dpop)).status).toBe(200);
    const live = await app.liveSessions();
    for (const copy of await copiesOf(dpop, path)) expectProblem(await send(copy), 401, 'dpop_proof_invalid');
    app.clock.advance(60);
    expectProblem(await send(dpop), 401, 'dpop_proof_invalid');
    app.clock.advance(1);
    expectProblem(await send(dpop), 401, 'use_dpop_nonce');
    expect(await app.liveSessions()).toBe(live);
    expect((await client.refresh()).status).toBe(200);
  });

  test('with a nonce is refused for five minutes, also after 20 other proofs', async () => {
    const asked = await client.refresh({ dpop: await client.proof('POST', '/auth/refresh', { claims: { iat: 0 } }) });
    const nonce = asked.headers.get('dpop-nonce');
    const dpop = await client.proof('POST', '/auth/refresh', { claims: { iat: 0, nonce } });
    expect((await client.refresh({ dpop })).status).toBe(200);
    for (let turn = 0; turn < 20; turn++) {
      app.clock.advance(15);
      expect((await client.refresh()).status).toBe(200);
      expectProblem(await client.refresh({ dpop }), 401, 'dpop_proof_invalid');
    }
    app.clock.advance(1);
    expectProblem(await client.refresh({ dpop }), 401, 'use_dpop_nonce');
  });
});

/** Sends a request with this header as often as it has values. */
async function sendRaw(dpop: string[], { refreshToken }: BoundClient): Promise<{ status?: number; code?: string }> {
  const headers = { cookie: `refresh_token=${refreshToken}`, 'content-length': '0', dpop };
  return new Promise((resolve, reject) => {
    const outgoing = request(`${app.url}/auth/refresh`, { method: 'POST', headers, agent: false });
    outgoing.once('error', reject).once('response', async (response) => {
      let text = '';
      for await (const part of response.setEncoding('utf8')) text += part;
      resolve({ status: response.statusCode, code: text ? JSON.parse(text).code : undefined });
    });
    outgoing.end();
  });
}

test('a request with two headers, with one of 100 kB, or with an empty one is refused and changes nothing', async () => {
  const { client } = await signedUp();
  const proof = () => client.proof('POST', '/auth/refresh');
  const before = await fingerprint(app.database);
  const refused = { status: 401, code: 'dpop_proof_invalid' };
  const same = await proof();
  expect(await sendRaw([await proof(), await proof()], client)).toEqual(refused);
  expect(await sendRaw([same, same], client)).toEqual(refused);
  expect(await sendRaw(['', same], client)).toEqual(refused);
  expect(await sendRaw([same, ''], client)).toEqual(refused);
  expect(await sendRaw([''], client)).toEqual(refused);
  const large = await sendRaw(['p'.repeat(100_000)], client).catch(({ code }) => code); // Node refuses it itself
  expect([{ status: 431 }, 'ECONNRESET', 'EPIPE']).toContainEqual(large);
  expect(await fingerprint(app.database)).toBe(before);
  expect(await sendRaw([same], client)).toEqual({ status: 200 });
});

describe('with ACCESS_TOKEN_BINDING', () => {
  let bound: TestApp;
  beforeAll(async () => {
    const settings: SettingsInput = { accessTokenBinding: true };
    bound = await createTestApp({ settings });
  });
  afterAll(() => bound.close());

  const PATHS = [
    ['GET', '/auth/user', 200],
    ['POST', '/auth/reauthenticate', 200],
  ] as const;

  test.each(PATHS)('a proof for %s %s is for one token, one key and one use', async (method, path, success) => {
    const { client } = await signedUp(bound);
    const { client: stranger } = await signedUp(bound);
    const older = client.access;
    bound.clock.advance(1);
    await client.refresh();
    const body = method === 'POST' ? { password: PASSWORD } : undefined;
    const send = (dpop: string, token = client.access) =>
      client.send(method, path, body, { authorization: `DPoP ${token}`, dpop });
    const proof = (ath?: string, by = client) => by.proof(method, path, { claims: { ath } });

    const before = await fingerprint(bound.database);
    for (const [dpop, token] of [
      [await proof(undefined)],
      [await proof('')],
      [await proof(athOf(older))],
      [await proof(athOf(client.refreshToken))],
      [await proof(athOf(stranger.access))],
      [await proof(client.access)],
      [await proof(athOf(client.access), stranger)],
      [await proof(athOf(client.access)), older],
      [await proof(athOf(stranger.access)), stranger.access],
      [await (await ProofSigner.create()).proof(method, bound.url + path, bound.clock.now())],
    ] as const) {
      expectProblem(await send(dpop, token), 401, 'dpop_proof_invalid');
    }
    // A refused proof is not written down: the thief of a token could fill the table.
    expect(await fingerprint(bound.database)).toBe(before);

    const dpop = await proof(athOf(client.access));
    expect((await send(dpop)).status).toBe(success);
    expectProblem(await send(dpop), 401, 'dpop_proof_invalid');
    expect((await send(await proof(athOf(client.access)))).status).toBe(success);
  });

  test.each(['GET', 'POST'])('a %s request whose sender is asked for twice uses its proof once', async (method) => {
    let app: TestApp | undefined;
    @Service()
    @JsonController('/twice')
    class TwiceController {
      @Get()
      @Post()
      @Authorized()
      @SessionCheck('database')
      twice(@CurrentUser() principal: Principal) {
        return [principal.id];
      }
    }
    // The middleware asks without a session check, and the action with one.
    const configure: TestAppOptions['configure'] = (server) =>
      server.use('/twice', async (request, _response, next) => {
        await app?.auth.authenticate(request).catch(() => undefined);
        next();
      });
    app = await createTestApp({ settings: { accessTokenBinding: true }, controllers: [TwiceController], configure });
    const { client } = await signedUp(app);
    const dpop = await client.proof(method, '/twice', { claims: { ath: athOf(client.access) } });
    const send = () => client.send(method, '/twice', undefined, { authorization: `DPoP ${client.access}`, dpop });
    expect((await send()).body).toEqual([claimsOf(client.access).sub]);
    expect(await send()).toMatchObject({ status: 401, body: { code: 'dpop_proof_invalid' } });
    await app.close();
  });

  test("a proof of the app's own sign-in route proves nothing about an access token in the same request", async () => {
    let app: TestApp | undefined;
    const configure: TestAppOptions['configure'] = (server) =>
      server.post('/own', async (request, response) => {
        const { proof } = (await app?.auth.clientOf(request)) ?? {};
        const caller = await app?.auth.authenticate(request).catch(({ code }: { code: string }) => code);
        response.json([proof !== undefined, typeof caller === 'string' ? caller : 'authenticated']);
      });
    app = await createTestApp({ settings: { accessTokenBinding: true }, configure });
    const { client } = await signedUp(app);
    const send = async (ath?: string) => {
      const dpop = await client.proof('POST', '/own', { claims: { ath } });
      return (await client.send('POST', '/own', {}, { authorization: `DPoP ${client.access}`, dpop })).body;
    };
    expect(await send()).toEqual([true, 'dpop_proof_invalid']);
    expect(await send(athOf(client.access))).toEqual([true, 'authenticated']);
    await app.close();
  });

  test("of a sign-in in the app's transaction works again if that is rolled back, and is used up if not", async () => {
    let isFailing = true;
    const configure: TestAppOptions['configure'] = (server) =>
      server.post('/own', (request, response, next) => {
        const signIn = async () => {
          const client = app.auth.clientOf(request);
          const { rows } = await app.database.pool.query('select id from app_user');
          return app.orm.em.fork().transactional(async (em) => {
            await app.auth.signIn({ id: rows[0].id }, { method: 'ticket', client, em });
            if (isFailing) throw new Error('rolled back');
          });
        };
        signIn().then(() => response.json({}), next);
      });
    const app = await createTestApp({ configure });
    const { client } = await signedUp(app);
    const dpop = await client.proof('POST', '/own');
    const send = async () => (await client.send('POST', '/own', {}, { dpop })).status;
    expect([await send(), await send(), await app.liveSessions()]).toEqual([500, 500, 1]);
    isFailing = false;
    expect([await send(), await send(), await app.liveSessions()]).toEqual([200, 401, 2]);
    await app.close();
  });
});
