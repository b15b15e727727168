import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';

/**
 * Knows the browser that signed up: when it asks for another link, which must not be that of a stranger's sign-up with
 * the same address, and when the link is opened there. Whoever else opens it confirms the address, and is not signed in
 * to an account that may be a stranger's.
 */
export class SignUpBrowsers {
  constructor(private readonly secret: KeyObject) {}

  /** What the browser shall keep of a sign-up. */
  mark(signUp: string): string {
    return createHmac('sha256', this.secret).update(`sign-up ${signUp}`).digest('base64url');
  }

  /** Whether one of some marks is of this sign-up. */
  isKnown(marks: readonly string[], signUp: string): boolean {
    const expected = Buffer.from(this.mark(signUp));
    return marks
      .map((mark) => Buffer.from(mark))
      .some((mark) => mark.length === expected.length && timingSafeEqual(mark, expected));
  }
}
