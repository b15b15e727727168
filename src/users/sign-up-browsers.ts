import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';

/**
 * Recognises the browser in which a sign-up was made, by a mark (an HMAC of the sign-up's id) that the browser keeps in
 * a cookie.
 *
 * - If that browser requests another mail, the new link is for its own sign-up, and not for another one with the same
 *   address.
 * - If that browser opens the link, the user can be signed in. In another browser the link only confirms the address,
 *   because a stranger may have made the account.
 */
export class SignUpBrowsers {
  /** The first key makes marks, all keys verify them. */
  readonly #keys: readonly [KeyObject, ...KeyObject[]];

  constructor({ encryption }: { readonly encryption: EncryptionKeys }) {
    this.#keys = encryption.markKeys('sign-up browsers');
  }

  /** The mark of a sign-up. */
  mark(signUp: string): string {
    return markBy(this.#keys[0], signUp);
  }

  /** Whether one of the marks belongs to this sign-up. */
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
