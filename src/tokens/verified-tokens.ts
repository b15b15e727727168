import QuickLRU from 'quick-lru';
import type { TokenClaims } from './claims.js';
import type { VerifiedToken } from './json-web-token.js';
import type { SigningKeys } from './signing-keys.js';

/** The cache keeps at least this many of the tokens that were used last, and at most twice as many. */
const CACHE_SIZE = 5000;

/** Maximum length of a cached token, in characters. It limits the memory; few tokens are longer. */
const MAX_LENGTH = 2048;

/**
 * A token is looked up by its last characters: most of an HMAC, and a part of any other signature. A map has to hash
 * its key for each request, which takes longer for a whole token.
 */
const KEY_LENGTH = 32;

/** A verified token with its text, because other tokens can end with the same characters. */
interface CachedToken extends VerifiedToken {
  readonly text: string;
}

/**
 * A cache of access tokens whose signature was verified. Only valid tokens are stored, so that invalid ones cannot
 * displace them. A hit replaces only the verification of the signature: the caller must still check `exp` and whether
 * the session was revoked.
 */
export class VerifiedTokens {
  readonly #verified = new QuickLRU<string, CachedToken>({ maxSize: CACHE_SIZE });

  constructor(private readonly keys: SigningKeys) {}

  /** The claims of a token, if it is in the cache and its key is still in use. */
  find(token: string): TokenClaims | undefined {
    const known = this.#verified.get(keyOf(token));
    const isKnown = known?.text === token && this.keys.find(known.key.id) === known.key;
    return isKnown ? known.claims : undefined;
  }

  /** Adds a verified token, unless it is too long. */
  add(token: string, verified: VerifiedToken): void {
    if (token.length > MAX_LENGTH) return;
    // A copy, because the string is a slice of a header and would keep the whole header in memory.
    const text = Buffer.from(token, 'latin1').toString('latin1');
    this.#verified.set(keyOf(text), { ...verified, text });
  }
}

function keyOf(token: string): string {
  return token.slice(-KEY_LENGTH);
}
