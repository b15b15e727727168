import { createHash, randomBytes } from 'node:crypto';

/** The form of 32 bytes in base64url. */
const KEY_PATTERN = /^[\w-]{43}$/;

/** Makes a key for a mailed link or a challenge: 256 random bits, in base64url. */
export function createRandomKey(): string {
  return randomBytes(32).toString('base64url');
}

/** Whether a text has the form of a key from `createRandomKey`. */
export function isRandomKey(text: string): boolean {
  return KEY_PATTERN.test(text);
}

/** The stored form of a key: its SHA-256, in base64url. */
export function hashOfRandomKey(key: string): string {
  return createHash('sha256').update(key).digest('base64url');
}
