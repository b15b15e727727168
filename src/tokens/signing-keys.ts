import type { KeyObject } from 'node:crypto';
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
  /**
   * The key that verifies tokens of that `kid`, or undefined when it is none of ours. Unknown ones must cost nothing.
   */
  find(id: string): SigningKey | undefined;
}
