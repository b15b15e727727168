import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { athOf, BoundClient, ProofSigner } from '../support/bound-client.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { claimsOf, sessionOf } from '../support/race.js';
import { startServerProcess } from '../support/server-process.js';
import { createTestApp, SECRET, type TestApp } from '../support/test-app.js';
import { type Answer, PASSWORD, TestClient } from '../support/test-client.js';

/** The address that clients of all servers use. */
const PUBLIC_URL = 'http://accounts.test';

const SERVERS = 3;
const REQUESTS = 12;
const ROUNDS = 10;

let app: TestApp;
let servers: Awaited<ReturnType<typeof startServerProcess>>[];
beforeAll(async () => {
  const settings = { secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY, accessTokenBinding: true };
  app = await createTestApp({ settings });
  const ofServers = { ...settings, development: true, publicUrl: PUBLIC_URL, loginRateLimit: 'off' };
  servers = await Promise.all(
    Array.from({ length: SERVERS }, () => startServerProcess(app.database.appUrl, ofServers)),
  );
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await app.close();
});

let count = 0;
async function signedUp(): Promise<{ client: BoundClient; email: string }> {
  const client = await BoundClient.of(app);
  const email = `single${++count}@example.com`;
  expect((await client.register(email)).status).toBe(201);
  return { client, email };
}

const proofBy = (key: ProofSigner, path: string, method = 'POST', claims = {}) =>
  key.proof(method, PUBLIC_URL + path, Date.now(), { claims });

/** Sends the same request many times at once, to all servers in turn. */
function storm(send: (client: TestClient) => Promise<Answer>, tokens: Partial<TestClient> = {}): Promise<Answer[]> {
  const clients = Array.from({ length: REQUESTS }, (_, place) =>
    Object.assign(new TestClient(servers[place % SERVERS]?.url ?? '', 'cookie', 'refresh_token'), tokens),
  );
  return Promise.all(clients.map(send));
}

/** What the answers were: their codes in order. */
const codes = (answers: readonly Answer[]) =>
  answers.map(({ status, body }) => body.code ?? String(status)).toSorted((a, b) => (a < b ? -1 : 1));
const ONCE = ['200', ...Array(REQUESTS - 1).fill('dpop_proof_invalid')];

/** The refresh tokens in the answers that succeeded. */
const refreshed = (answers: readonly Answer[]) =>
  answers.flatMap(({ status, cookie }) => (status === 200 ? [cookie?.value ?? ''] : []));

const rowOf = async (client: TestClient) => (await app.sessions()).find(({ id }) => id === sessionOf(client));

describe(`a proof that ${SERVERS} server processes get ${REQUESTS} times at once`, () => {
  test('rotates the live token once', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { client } = await signedUp();
      const { refreshToken } = client;
      const dpop = await proofBy(client.key, '/auth/refresh');
      const answers = await storm((each) => each.refresh({ dpop }), { refreshToken });
      expect(codes(answers)).toEqual(ONCE);
      const [token = ''] = refreshed(answers);
      expect(await rowOf(client)).toMatchObject({ enabled: true, jti: claimsOf(token).jti });
    }
  });

  test('gives the successor to the parent once', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { client } = await signedUp();
      const { refreshToken } = client;
      await client.refresh();
      const dpop = await proofBy(client.key, '/auth/refresh');
      const answers = await storm((each) => each.refresh({ dpop }), { refreshToken });
      expect(codes(answers)).toEqual(ONCE);
      expect(refreshed(answers).map((token) => claimsOf(token).jti)).toEqual([claimsOf(client.refreshToken).jti]);
      expect(await rowOf(client)).toMatchObject({ enabled: true, jti: claimsOf(client.refreshToken).jti });
    }
  });

  test('signs in once', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { client, email } = await signedUp();
      const live = await app.liveSessions();
      const dpop = await proofBy(client.key, '/auth/login');
      expect(codes(await storm((each) => each.login(email, PASSWORD, { dpop })))).toEqual(ONCE);
      expect(await app.liveSessions()).toBe(live + 1);
    }
  });

  test('is accepted once with an access token, where the method is not safe', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { client } = await signedUp();
      const dpop = await proofBy(client.key, '/auth/reauthenticate', 'POST', { ath: athOf(client.access) });
      const headers = { authorization: `DPoP ${client.access}`, dpop };
      const answers = await storm((each) => each.send('POST', '/auth/reauthenticate', { password: PASSWORD }, headers));
      expect(codes(answers)).toEqual(ONCE);
    }
  });

  test('is accepted once on each server with an access token and GET', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { client } = await signedUp();
      const dpop = await proofBy(client.key, '/whoami', 'GET', { ath: athOf(client.access) });
      const headers = { authorization: `DPoP ${client.access}`, dpop };
      const answers = await storm((each) => each.send('GET', '/whoami', undefined, headers));
      const more = Array(REQUESTS - SERVERS).fill('dpop_proof_invalid');
      expect(codes(answers)).toEqual([...Array(SERVERS).fill('200'), ...more]);
      const accepting = answers.flatMap(({ status }, place) => (status === 200 ? [place % SERVERS] : []));
      expect(new Set(accepting).size).toBe(SERVERS);
    }
  });
});

test('of several keys that bind a session at the same moment, one is bound and the others get nothing', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const { refreshToken } = await app.signedUp();
    const keys = await Promise.all(Array.from({ length: REQUESTS }, () => ProofSigner.create()));
    const proofs = await Promise.all(keys.map((key) => proofBy(key, '/auth/refresh')));
    const left = [...proofs];
    const answers = await storm((each) => each.refresh({ dpop: left.shift() ?? '' }), { refreshToken });
    expect(codes(answers)).toEqual(ONCE);
    const winner = keys[answers.findIndex(({ status }) => status === 200)];
    const [token = ''] = refreshed(answers);
    expect(claimsOf(token).cnf).toEqual({ jkt: winner?.thumbprint });
    const { jti } = claimsOf(token);
    const client = Object.assign(app.client(), { refreshToken: token });
    expect(await rowOf(client)).toMatchObject({ enabled: true, jti, key_thumbprint: winner?.thumbprint });
  }
});
