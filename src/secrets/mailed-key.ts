import { createHash, randomBytes } from 'node:crypto';

/** 32 random bytes in base64url. */
const KEY_PATTERN = /^[\w-]{43}$/;

/** A new key for a mailed link: 256 random bits. */
export function createMailedKey(): string {
  return randomBytes(32).toString('base64url');
}

/** Whether a text has the form of such a key. */
export function isMailedKey(text: string): boolean {
  return KEY_PATTERN.test(text);
}

/** What is stored of such a key: its SHA-256, in base64url. */
export function hashOfMailedKey(key: string): string {
  return createHash('sha256').update(key).digest('base64url');
}
