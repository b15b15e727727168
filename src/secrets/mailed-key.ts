import { createHash, randomBytes } from 'node:crypto';

/** 32 random bytes in base64url. */
const KEY_PATTERN = /^[\w-]{43}$/;

/** Makes a key for a mailed link: 256 random bits, in base64url. */
export function createMailedKey(): string {
  return randomBytes(32).toString('base64url');
}

/** Whether a text has the form of a mailed key. */
export function isMailedKey(text: string): boolean {
  return KEY_PATTERN.test(text);
}

/** The stored form of a mailed key: its SHA-256, in base64url. */
export function hashOfMailedKey(key: string): string {
  return createHash('sha256').update(key).digest('base64url');
}
