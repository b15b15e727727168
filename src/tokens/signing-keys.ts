import type { KeyObject } from 'node:crypto';
import type { Algorithm } from '../settings/algorithm.js';

/** A key and the only algorithm that it may be used with. The `alg` of a token does not choose it (RFC 8725 §3.1). */
export interface SigningKey {
  /** The `kid` header of tokens that were signed with it. */
  readonly id: string;
  readonly algorithm: Algorithm;
  /** A KeyObject, because verifying with a string is ten times slower. */
  readonly key: KeyObject;
}

/** The keys of an app: one that signs, and those that verify. */
export interface SigningKeys {
  readonly signing: SigningKey;
  /** The key that verifies tokens with this `kid`. Undefined for an unknown `kid`. An unknown one must cost little. */
  find(id: string): SigningKey | undefined;
}
