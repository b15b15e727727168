import { createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject, randomUUID } from 'node:crypto';
import jwt from 'jsonwebtoken';

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
    return jwt.sign(claims, this.#privateKey, { algorithm: 'ES256', keyid: kid });
  }
}
