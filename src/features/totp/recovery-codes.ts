import { createHmac, hkdfSync, randomBytes } from 'node:crypto';

/** How many recovery codes a user gets. */
const COUNT = 10;

/** Characters of a code: 5 bits each, 50 bits in all. */
const LENGTH = 10;

/** Crockford's base32: no i, l, o and u, which people confuse with other characters. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** Makes ten recovery codes in the form `xxxxx-xxxxx`. */
export function createRecoveryCodes(): string[] {
  return Array.from({ length: COUNT }, () => {
    const characters = [...randomBytes(LENGTH)].map((byte) => ALPHABET[byte % ALPHABET.length]).join('');
    return `${characters.slice(0, LENGTH / 2)}-${characters.slice(LENGTH / 2)}`;
  });
}

/**
 * The stored form of a recovery code: an HMAC-SHA-256. Its key is derived from the user's TOTP secret (HKDF, RFC 5869).
 * So a copy of the table is not enough to guess codes, and a new encryption key changes no hash.
 *
 * @param code in any case, with or without dash and spaces
 * @returns undefined for a text that cannot be a recovery code
 */
export function hashOfRecoveryCode(code: string, secret: string): string | undefined {
  const characters = normalize(code);
  if (characters.length !== LENGTH || [...characters].some((each) => !ALPHABET.includes(each))) return undefined;
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'jwt-allauth recovery codes', 32));
  return createHmac('sha256', key).update(characters).digest('base64url');
}

/** Reads the characters that are missing in the alphabet as those that they look like, as Crockford proposes. */
function normalize(code: string): string {
  return code.replace(/[\s-]/g, '').toLowerCase().replace(/[il]/g, '1').replace(/o/g, '0');
}
