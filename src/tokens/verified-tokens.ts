import QuickLRU from 'quick-lru';
import type { TokenClaims } from './claims.js';
import type { VerifiedToken } from './json-web-token.js';
import type { SigningKeys } from './signing-keys.js';

/** Tokens remembered at least; up to twice as many are held. */
const CACHE_SIZE = 5000;

/** Characters of a token that is remembered: they bound the memory, and hardly any token has more. */
const MAX_LENGTH = 2048;

/**
 * Access tokens whose signature was verified a moment ago, so that it need not be verified again. Only a token that was
 * found good comes in here: whoever sends garbage displaces nothing. A hit says no more than the signature does;
 * whoever asks still has to look at `exp`, and at whether the session was revoked.
 */
export class VerifiedTokens {
  readonly #verified = new QuickLRU<string, VerifiedToken>({ maxSize: CACHE_SIZE });

  constructor(private readonly keys: SigningKeys) {}

  /** The claims of exactly this token, if it is known and its key still verifies. */
  find(token: string): TokenClaims | undefined {
    const known = this.#verified.get(token);
    return known && this.keys.find(known.key.id) === known.key ? known.claims : undefined;
  }

  /** Remembers a token that `key` has verified. */
  add(token: string, verified: VerifiedToken): void {
    if (token.length > MAX_LENGTH) return;
    // The token is a slice of a header: kept as it is, it would keep the whole header in memory.
    const copy = Buffer.from(token, 'latin1').toString('latin1');
    this.#verified.set(copy, verified);
  }
}
