import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';

/**
 * Knows the browser that signed up when the mailed link is opened there. Whoever else opens it confirms the address, and is
 * not signed in to an account that may be a stranger's. The mark is bound to the password's hash: it goes with the account.
 */
export class SignUpBrowsers {
  constructor(private readonly secret: KeyObject) {}

  /** What the browser shall keep. */
  mark(passwordHash: string): string {
    return createHmac('sha256', this.secret).update(passwordHash).digest('base64url');
  }

  /** Whether one of some marks is of the sign-up that had this password. */
  isKnown(marks: readonly string[], passwordHash: string | null | undefined): boolean {
    if (!passwordHash) return false;
    const expected = Buffer.from(this.mark(passwordHash));
    return marks
      .map((mark) => Buffer.from(mark))
      .some((mark) => mark.length === expected.length && timingSafeEqual(mark, expected));
  }
}
