import { base64Url } from './base64-url.js';
import type { KeyPlace, KeySlot, ProofKey } from './key-place.js';
import { WebKey } from './web-key.js';

/** Length of a coordinate or of half a signature of P-256, in bytes. */
const HALF = 32;

/** Keeps keys in memory, as long as the program lasts: for `memoryStore`, in Node or in tests. It needs WebCrypto. */
export function memoryKeys(): KeyPlace {
  const keys = new Map<KeySlot, ProofKey>();
  return {
    create: () => WebKey.create(),
    load: async (slot) => keys.get(slot),
    store: async (slot, key) => void keys.set(slot, key),
    remove: async (slot) => void keys.delete(slot),
  };
}

/**
 * The JWK of a public key of P-256, as keystores return it: the uncompressed point (iOS), or a SubjectPublicKeyInfo,
 * which ends with it (Android).
 */
export function publicJwkOf(publicKey: Uint8Array): ProofKey['publicJwk'] {
  const point = publicKey.slice(-2 * HALF);
  return { kty: 'EC', crv: 'P-256', x: base64Url(point.slice(0, HALF)), y: base64Url(point.slice(HALF)) };
}

/** The JWS form of an ES256 signature in DER, as keystores return it: r and s, 32 bytes each. */
export function signatureOf(der: Uint8Array): Uint8Array {
  const signature = new Uint8Array(2 * HALF);
  let start = 2; // after the head of the sequence
  for (const end of [HALF, 2 * HALF]) {
    const length = der[start + 1] ?? 0;
    const number = der.slice(start + 2, start + 2 + length).slice(-HALF); // without the zero of a positive number
    signature.set(number, end - number.length);
    start += 2 + length;
  }
  return signature;
}
