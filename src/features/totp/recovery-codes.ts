import { createHmac, hkdfSync } from 'node:crypto';
import { createCode, formatCode, normalizeCode } from '../../secrets/crockford-code.js';

/** How many recovery codes a user gets. */
const COUNT = 10;

/** Characters of a code: 5 bits each, 50 bits in all. */
const LENGTH = 10;

/** Makes ten recovery codes in the form `xxxxx-xxxxx`, and their stored form. */
export function createRecoveryCodes(secret: string) {
  const recoveryCodes = Array.from({ length: COUNT }, () => formatCode(createCode(LENGTH)).toLowerCase());
  return { recoveryCodes, hashes: recoveryCodes.map((code) => hashOfRecoveryCode(code, secret)) };
}

/**
 * The stored form of a recovery code: an HMAC-SHA-256. Its key is derived from the user's TOTP secret (HKDF, RFC 5869).
 * So a copy of the table is not enough to guess codes, and a new encryption key changes no hash.
 *
 * @param code in any case, with or without dash and spaces
 */
export function hashOfRecoveryCode(code: string, secret: string): string {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'jwt-allauth recovery codes', 32));
  return createHmac('sha256', key).update(normalizeCode(code)).digest('base64url');
}
