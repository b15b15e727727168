import { createHmac, type KeyObject } from 'node:crypto';

/**
 * A keyed hash (HMAC with SHA-256, RFC 2104) of a list of values, in base64url: 43 characters. Without the key, the
 * values can neither be read nor guessed from it. Different lists have different hashes.
 *
 * @param parts values that JSON can represent
 */
export function keyedHash(key: KeyObject, parts: readonly unknown[]): string {
  return createHmac('sha256', key).update(JSON.stringify(parts)).digest('base64url');
}
