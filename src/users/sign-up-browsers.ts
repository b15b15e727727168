import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';

/**
 * Knows the browser that signed up: when it asks for another link, which must not be that of a stranger's sign-up with
 * the same address, and when the link is opened there. Whoever else opens it confirms the address, and is not signed in
 * to an account that may be a stranger's.
 */
export class SignUpBrowsers {
  /** The first makes marks. The others have made them on other servers, or on this one before. */
  readonly #keys: readonly [KeyObject, ...KeyObject[]];

  constructor({ encryption }: { readonly encryption: EncryptionKeys }) {
    this.#keys = encryption.markKeys('sign-up browsers');
  }

  /** The mark of a sign-up, for its browser to keep. */
  mark(signUp: string): string {
    return markBy(this.#keys[0], signUp);
  }

  /** Whether one of some marks is of this sign-up. */
  isKnown(marks: readonly string[], signUp: string): boolean {
    const expected = this.#keys.map((key) => Buffer.from(markBy(key, signUp)));
    return marks
      .map((mark) => Buffer.from(mark))
      .some((mark) => expected.some((each) => mark.length === each.length && timingSafeEqual(mark, each)));
  }
}

function markBy(key: KeyObject, signUp: string): string {
  return createHmac('sha256', key).update(`sign-up ${signUp}`).digest('base64url');
}
