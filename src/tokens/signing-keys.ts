import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { Algorithm } from '../settings/algorithm.js';

/** A key with the one algorithm that it may be used with, so that a token can never choose (RFC 8725 §3.1). */
export interface SigningKey {
  /** `kid` header of the tokens made with it. */
  readonly id: string;
  readonly algorithm: Algorithm;
  /** Made once: a verification with a KeyObject is ten times faster than one with a string. */
  readonly key: KeyObject;
}

/** The keys of an app: the one that signs, and those that verify. */
export interface SigningKeys {
  readonly signing: SigningKey;
  /** The key that verifies tokens of that `kid`, or undefined when it is none of ours. */
  find(id: string): SigningKey | undefined;
}

/** Keys of an app that signs with one shared secret. */
export class HmacKeys implements SigningKeys {
  readonly signing: SigningKey;

  constructor(secret: string, algorithm: Algorithm) {
    // A keyed hash names the secret without giving a guesser more than any token's signature gives.
    const id = createHmac('sha256', secret).update('jwt-allauth key id').digest('base64url').slice(0, 16);
    this.signing = { id, algorithm, key: createSecretKey(secret, 'utf8') };
  }

  find(id: string): SigningKey | undefined {
    return id === this.signing.id ? this.signing : undefined;
  }
}
