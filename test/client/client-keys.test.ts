import { createHash, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AuthClient, type KeyPlace, type KeySlot, type ProofKey } from '../../src/client/index.js';
import { publicJwkOf, signatureOf } from '../../src/client/keys.js';
import { sha256 } from '../../src/client/sha256.js';
import { memoryStore } from '../../src/client/store.js';
import { DpopServer } from '../support/dpop-server.js';

const ADA = { email: 'ada@example.com', password: 'a sentence of some length' };

/** A place for keys of the hardware of a phone. */
function hardware(): KeyPlace {
  const kept = new Map<KeySlot, ProofKey>();
  return {
    create: async () => {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      return {
        alg: 'ES256',
        publicJwk: publicJwkOf(publicKey.export({ type: 'spki', format: 'der' })),
        sign: async (data) => signatureOf(sign('sha256', data, privateKey)),
      };
    },
    load: async (slot) => kept.get(slot),
    store: async (slot, key) => void kept.set(slot, key),
    remove: async (slot) => void kept.delete(slot),
  };
}

describe('a phone without the globals of browsers', () => {
  const MISSING = ['TextEncoder', 'TextDecoder', 'crypto', 'structuredClone', 'indexedDB', 'navigator'];
  const present = MISSING.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const);
  let server: DpopServer;
  beforeEach(async () => {
    server = await DpopServer.start();
    for (const name of MISSING) {
      const value: unknown = Reflect.get(globalThis, name);
      // The server of the test runs in the same process, and has them.
      const get = () => (/\/src\/client\//.test(new Error().stack?.split('\n')[2] ?? '') ? undefined : value);
      Object.defineProperty(globalThis, name, { get, configurable: true });
    }
  });
  afterEach(() => {
    for (const [name, descriptor] of present) {
      if (descriptor) Object.defineProperty(globalThis, name, descriptor);
      else Reflect.deleteProperty(globalThis, name);
    }
    server.close();
  });

  test('binds a session with a key of its hardware, also the access token', async () => {
    server.isTokenBound = true;
    const options = { url: `${server.url}/auth`, store: memoryStore(), keys: hardware() };
    const client = new AuthClient(options);
    await client.login(ADA);
    await client.refresh();
    expect(await (await client.fetch(`${server.url}/orders`)).json()).toMatchObject({ user: ADA.email });
    expect(await new AuthClient(options).restore()).toMatchObject({ claims: { sub: ADA.email } });
    expect(server.keys).toEqual([expect.stringMatching(/^[\w-]{43}$/)]);
    expect(server.log.filter((line) => !line.endsWith('200 proof'))).toEqual([]);
  });
});

test('signatures in DER become those of JWS, and public keys become JWKs, whatever their leading bits are', async () => {
  for (let times = 0; times < 300; times++) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    const jwk = publicJwkOf(spki);
    expect(publicJwkOf(spki.subarray(-65))).toEqual(jwk);
    const text = `${btoa('{"alg":"ES256"}')}.${btoa('{}')}`.replaceAll('=', '');
    const signature = signatureOf(sign('sha256', Buffer.from(text), privateKey));
    const token = `${text}.${Buffer.from(signature).toString('base64url')}`;
    await jwtVerify(token, createPublicKey({ key: { ...jwk }, format: 'jwk' }));
  }
});

test.each([
  '',
  'abc',
  'a'.repeat(55),
  'a'.repeat(56),
  'a'.repeat(63),
  'a'.repeat(64),
  'a'.repeat(119),
  'eyJ.'.repeat(500),
])('the hash of the text %# is that of SHA-256', (text) => {
  expect(Buffer.from(sha256(text)).toString('hex')).toBe(createHash('sha256').update(text).digest('hex'));
});
