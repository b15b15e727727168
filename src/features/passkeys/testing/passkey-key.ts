import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type CborValue, encodeCbor } from './cbor.js';

/** The algorithms that the server offers. */
export type PasskeyAlgorithm = 'ES256' | 'EdDSA' | 'RS256';

/** Their numbers in COSE (RFC 9053 §2, RFC 8812 §2). */
const COSE_NUMBERS = { ES256: -7, EdDSA: -8, RS256: -257 } as const;

/** The key pair of a passkey. It exists only in memory. */
export class PasskeyKey {
  readonly #privateKey: KeyObject;

  constructor(readonly algorithm: PasskeyAlgorithm) {
    this.#privateKey = privateKeyFor(algorithm);
  }

  /** The number of the algorithm, as in `pubKeyCredParams`. */
  get number(): number {
    return COSE_NUMBERS[this.algorithm];
  }

  /** The public key as COSE_Key (RFC 9052 §7). */
  get cose(): Buffer {
    const jwk = createPublicKey(this.#privateKey).export({ format: 'jwk' });
    const bytes = (text = '') => Buffer.from(text, 'base64url');
    const [type, ...members]: [number, ...CborValue[]] = {
      ES256: [2, 1, bytes(jwk.x), bytes(jwk.y)] as [number, ...CborValue[]],
      EdDSA: [1, 6, bytes(jwk.x)] as [number, ...CborValue[]],
      RS256: [3, bytes(jwk.n), bytes(jwk.e)] as [number, ...CborValue[]],
    }[this.algorithm];
    const own = members.map((member, index): [number, CborValue] => [-1 - index, member]);
    return encodeCbor(new Map<number, CborValue>([[1, type], [3, this.number], ...own]));
  }

  /** The public key as SubjectPublicKeyInfo, in DER (RFC 5280 §4.1). */
  get spki(): Buffer {
    return createPublicKey(this.#privateKey).export({ format: 'der', type: 'spki' });
  }

  /** Signs as an authenticator does (WebAuthn level 3 §6.5.5): ECDSA in DER, RSA with PKCS #1 v1.5. */
  sign(data: Uint8Array): Buffer {
    return sign(this.algorithm === 'EdDSA' ? null : 'sha256', data, this.#privateKey);
  }
}

function privateKeyFor(algorithm: PasskeyAlgorithm): KeyObject {
  if (algorithm === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519').privateKey;
  return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
}
