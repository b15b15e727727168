import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Nonces } from '../../src/dpop/nonces.js';
import type { AuthEventMap } from '../../src/index.js';
import { EncryptionKeys } from '../../src/secrets/encryption-keys.js';
import { BAD_PROOFS, type BadProof, FOREIGN_PROOFS } from '../support/bad-proofs.js';
import { BoundClient, ProofSigner } from '../support/bound-client.js';
import { fingerprint } from '../support/database-fingerprint.js';
import { expectProblem } from '../support/expect-problem.js';
import type { ProofScene } from '../support/proof-scene.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { type Answer, PASSWORD } from '../support/test-client.js';

const EMAIL = 'owner@example.com';

let app: TestApp;
let owner: BoundClient;
let other: ProofSigner;
let refused: AuthEventMap['session.binding-refused'][];
beforeAll(async () => {
  app = await createTestApp();
  app.auth.events.on('session.binding-refused', (event) => refused.push(event));
  owner = await BoundClient.of(app);
  await owner.register(EMAIL);
  other = await ProofSigner.create();
});
afterAll(() => app.close());

/** A nonce that the app has just made. */
async function nonce(): Promise<string> {
  const dpop = await owner.proof('POST', '/auth/refresh', { claims: { iat: 0 } });
  return (await owner.copy().refresh({ dpop })).headers.get('dpop-nonce') ?? '';
}

/** What the makers of proofs get. The clock goes on, so that no proof of a test before counts. */
async function sceneOf(path: string): Promise<ProofScene> {
  const expired = await nonce();
  app.clock.advance(301);
  const encryption = new EncryptionKeys([Buffer.alloc(32, 7)]);
  const nonces = { valid: await nonce(), expired, foreign: new Nonces({ clock: app.clock, encryption }).create() };
  const { key } = owner;
  return { key, other, method: 'POST', url: app.url + path, now: Math.floor(app.clock.now() / 1000), nonces };
}

const ENDPOINTS: Readonly<Record<string, (dpop: string) => Promise<Answer>>> = {
  '/auth/refresh': (dpop) => owner.copy().refresh({ dpop }),
  '/auth/reauthenticate': (dpop) =>
    owner.copy().send('POST', '/auth/reauthenticate', { password: PASSWORD }, { ...owner.bearer, dpop }),
  '/auth/login': (dpop) => app.client().login(EMAIL, PASSWORD, { dpop }),
};

test('the tables have at least 100 proofs with different names', () => {
  const names = [...BAD_PROOFS, ...FOREIGN_PROOFS].map(([what]) => what);
  expect(new Set(names).size).toBe(names.length);
  expect(names.length).toBeGreaterThanOrEqual(100);
});

describe.each(Object.keys(ENDPOINTS))('at %s', (path) => {
  const isSignIn = path === '/auth/login';
  const send = ENDPOINTS[path] as (dpop: string) => Promise<Answer>;

  async function expectRefused([, expected, make]: BadProof): Promise<void> {
    const scene = await sceneOf(path);
    const proof = await make(scene);
    refused = [];
    app.refusals.length = 0;
    const answer = await send(proof);
    const isNonce = expected === 'nonce';
    expect(app.refusals).toEqual([
      isNonce ? { code: 'use_dpop_nonce' } : { code: 'dpop_proof_invalid', reason: expected },
    ]);
    expectProblem(answer, 401, isNonce ? 'use_dpop_nonce' : 'dpop_proof_invalid');
    expect(answer.body['reason']).toBe(isNonce ? undefined : expected);
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(answer.headers.get('www-authenticate')).toMatch(
      isNonce ? /^DPoP error="use_dpop_nonce", / : /^DPoP error="invalid_dpop_proof", /,
    );
    expect(answer.headers.has('dpop-nonce')).toBe(isNonce);
    expect(refused.map(({ reason }) => reason)).toEqual(isNonce || isSignIn ? [] : [expected]);
  }

  test.each(BAD_PROOFS)('%s is refused with %s, and nothing changes', async (...bad) => {
    const before = await fingerprint(app.database);
    await expectRefused(bad);
    expect(await fingerprint(app.database)).toBe(before);
    expect((await owner.refresh()).status).toBe(200);
  });

  test.each(isSignIn ? [] : FOREIGN_PROOFS)('%s is refused with %s, and no session changes', async (...bad) => {
    const before = await app.sessions();
    await expectRefused(bad);
    expect(await app.sessions()).toEqual(before);
    expect((await owner.refresh()).status).toBe(200);
  });
});
