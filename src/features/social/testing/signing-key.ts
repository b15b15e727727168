import { createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject, randomUUID } from 'node:crypto';
import { signJws } from '../../../tokens/json-web-signature.js';

/** A key pair that signs with ES256 (RFC 7518 §3.4). It exists only in memory. */
export class SigningKey {
  readonly kid = randomUUID();
  readonly #privateKey: KeyObject = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

  /** The public key for the JWKS document (RFC 7517). */
  get publicJwk(): JsonWebKey {
    const jwk = createPublicKey(this.#privateKey).export({ format: 'jwk' });
    return { ...jwk, kid: this.kid, use: 'sig', alg: 'ES256' };
  }

  /** Signs claims. The time of issue is now if the claims have none. */
  sign(claims: object, kid: string = this.kid): string {
    const issued = { iat: Math.floor(Date.now() / 1000), ...claims };
    return signJws({ alg: 'ES256', typ: 'JWT', kid }, issued, { algorithm: 'ES256', key: this.#privateKey });
  }
}
