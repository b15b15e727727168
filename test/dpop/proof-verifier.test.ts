import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Nonces } from '../../src/dpop/nonces.js';
import type { Proof } from '../../src/dpop/proof.js';
import { PROOF_ALGORITHMS } from '../../src/dpop/proof-keys.js';
import { ProofVerifier } from '../../src/dpop/proof-verifier.js';
import type { AddressedRequest } from '../../src/dpop/requested-url.js';
import { EncryptionKeys } from '../../src/secrets/encryption-keys.js';
import { resolveSettings } from '../../src/settings/settings.js';
import { TestClock } from '../../src/testing/index.js';
import { athOf, ProofSigner } from '../support/bound-client.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { claimsOf, headerOf, longProof, type ProofScene, signed } from '../support/proof-scene.js';

/** The proof for the token endpoint of RFC 9449 §4.1. */
const FOR_TOKENS =
  'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo' +
  'RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJq' +
  'dGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0Ijox' +
  'NTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg';

/** The proof for a protected resource of RFC 9449 §7.1, and its access token. */
const FOR_RESOURCE =
  'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo' +
  'RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJq' +
  'dGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNv' +
  'dXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqz' +
  'hrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA';
const ACCESS_TOKEN = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU';
const TOKENS_IAT = 1562262616;
const RESOURCE_IAT = 1562262618;
const THUMBPRINT = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I';

const AT_TOKENS = { method: 'POST', url: '/token', headers: { host: 'server.example.com' } };
const AT_RESOURCE = { method: 'GET', url: '/protectedresource', headers: { host: 'resource.example.org' } };

const clock = new TestClock();
const nonces = new Nonces({ clock, encryption: new EncryptionKeys([Buffer.alloc(32, 1)]) });
const settings = resolveSettings({ secretKey: 's'.repeat(64), encryptionKeys: ENCRYPTION_KEY, development: true });
const verifier = new ProofVerifier({ clock, nonces, settings });
const at = (seconds: number) => clock.set(new Date(seconds * 1000));

/** The result, or the code and the reason of the refusal. */
function outcome(proof: string, request: AddressedRequest): unknown {
  try {
    return verifier.verify(proof, request);
  } catch (error) {
    const { code, reason } = error as Error & { code: string; reason?: string };
    return reason ?? code;
  }
}

describe('the proofs of RFC 9449', () => {
  test('are accepted from a minute before their iat until a minute after it', async () => {
    for (const [proof, request, iat] of [
      [FOR_TOKENS, AT_TOKENS, TOKENS_IAT],
      [FOR_RESOURCE, AT_RESOURCE, RESOURCE_IAT],
    ] as const) {
      const accepted = { thumbprint: THUMBPRINT, id: expect.any(String), expiresAt: (iat + 60) * 1000 };
      for (const seconds of [-60, 0, 60]) {
        at(iat + seconds);
        expect(outcome(proof, request)).toMatchObject(accepted);
      }
      for (const seconds of [-61, -60.001, 60.001, 61, 1e6]) {
        at(iat + seconds);
        expect(outcome(proof, request)).toBe('use_dpop_nonce');
      }
    }
  });

  test('are for one URL and one method', async () => {
    at(TOKENS_IAT);
    expect(outcome(FOR_TOKENS, { ...AT_TOKENS, method: 'GET' })).toBe('proof-for-another-method');
    expect(outcome(FOR_TOKENS, { ...AT_TOKENS, url: '/tokens' })).toBe('proof-for-another-url');
    expect(outcome(FOR_TOKENS, AT_RESOURCE)).toBe('proof-for-another-method');
    expect(outcome(FOR_RESOURCE, { ...AT_TOKENS, method: 'GET' })).toBe('proof-for-another-url');
  });

  test('have the hash of the access token for which they were made, if there is one', () => {
    expect(athOf(ACCESS_TOKEN)).toBe('fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo');
    at(RESOURCE_IAT);
    expect(outcome(FOR_RESOURCE, AT_RESOURCE)).toMatchObject({ accessTokenHash: athOf(ACCESS_TOKEN) });
    at(TOKENS_IAT);
    expect(outcome(FOR_TOKENS, AT_TOKENS)).toMatchObject({ accessTokenHash: undefined });
  });

  test('have a wrong signature with any of their characters changed', async () => {
    at(TOKENS_IAT);
    const [header = '', claims = '', signature = ''] = FOR_TOKENS.split('.');
    const refusals = new Set<unknown>();
    for (let place = 0; place < claims.length; place++) {
      const changed = claims.slice(0, place) + (claims[place] === 'A' ? 'B' : 'A') + claims.slice(place + 1);
      refusals.add(outcome(`${header}.${changed}.${signature}`, AT_TOKENS));
    }
    for (let place = 0; place < signature.length - 1; place++) {
      const changed = signature.slice(0, place) + (signature[place] === 'A' ? 'B' : 'A') + signature.slice(place + 1);
      refusals.add(outcome(`${header}.${claims}.${changed}`, AT_TOKENS));
    }
    expect([...refusals]).toEqual(['proof-wrong-signature']);
  });
});

describe('a proof of a client', () => {
  let scene: ProofScene;
  beforeAll(async () => {
    const [key, other] = [await ProofSigner.create(), await ProofSigner.create()];
    const url = 'https://server.example.com/token';
    scene = { key, other, method: 'POST', url, now: TOKENS_IAT, nonces: { valid: '', expired: '', foreign: '' } };
  });
  beforeEach(() => at(TOKENS_IAT));
  const verify = (claims: object, header: object = {}) =>
    outcome(signed(scene, headerOf(scene, header), claimsOf(scene, claims)), AT_TOKENS);

  test.each(PROOF_ALGORITHMS)('by a key for %s has the thumbprint of the key', async (algorithm) => {
    const key = await ProofSigner.create(algorithm);
    const proof = await key.proof('POST', scene.url, TOKENS_IAT * 1000);
    expect(outcome(proof, AT_TOKENS)).toMatchObject({ thumbprint: key.thumbprint });
  });

  test('expires five minutes after its nonce was made, with any iat, and no sooner', async () => {
    const nonce = nonces.create();
    for (const iat of [0, TOKENS_IAT - 1e6, TOKENS_IAT, TOKENS_IAT + 1e6, -1, Number.MAX_SAFE_INTEGER]) {
      at(TOKENS_IAT + 300);
      expect(await verify({ iat, nonce })).toMatchObject({ expiresAt: (TOKENS_IAT + 300) * 1000 });
      at(TOKENS_IAT + 300.001);
      expect(await verify({ iat, nonce })).toBe('use_dpop_nonce');
    }
  });

  test('may have a nonce of a server whose clock is ahead', async () => {
    at(TOKENS_IAT + 60);
    const nonce = nonces.create();
    at(TOKENS_IAT);
    expect(await verify({ iat: 0, nonce })).toMatchObject({ expiresAt: (TOKENS_IAT + 360) * 1000 });
  });

  test('with a right iat needs no nonce, and one of another app does not disturb', async () => {
    const accepted = { expiresAt: (TOKENS_IAT + 60) * 1000 };
    for (const nonce of ['', 'of another app', 'A'.repeat(30), 1, null, {}]) {
      expect(await verify({ nonce })).toMatchObject(accepted);
    }
  });

  test('may have other claims, and a jti of up to 256 characters', async () => {
    const others = { iss: 'x', aud: 'y', exp: 0, nbf: 9e9, sub: null, ath: 1 };
    expect(await verify(others)).toMatchObject({ thumbprint: scene.key.thumbprint });
    expect(await verify({ jti: 'j'.repeat(256) })).toMatchObject({ thumbprint: scene.key.thumbprint });
    expect(await verify({ jti: 'j'.repeat(257) })).toBe('proof-malformed');
  });

  test('may have up to 4,096 characters', async () => {
    expect(outcome(longProof(scene, 4094), AT_TOKENS)).toMatchObject({ thumbprint: scene.key.thumbprint });
    expect(outcome(longProof(scene, 4097), AT_TOKENS)).toBe('proof-malformed');
  });

  test('has one id for its key and jti: the same with another signature, iat or URL', async () => {
    const id = async (claims: object, by = scene) => {
      const proof = signed(by, headerOf(by), claimsOf(by, claims));
      return (outcome(proof, AT_TOKENS) as Proof).id;
    };
    const first = await id({ jti: 'one' });
    expect(first).toMatch(/^[\w-]{43}$/);
    expect(await id({ jti: 'one', iat: TOKENS_IAT - 30, htu: `${scene.url}?more` })).toBe(first);
    const { key, other } = scene;
    const others = await Promise.all([id({ jti: 'two' }), id({ jti: 'one' }, { ...scene, key: other, other: key })]);
    expect(new Set([first, ...others]).size).toBe(3);
  });
});
