import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';

/**
 * Knows the browser that signed up: when it asks for another link, which must not be that of a stranger's sign-up with
 * the same address, and when the link is opened there. Whoever else opens it confirms the address, and is not signed in
 * to an account that may be a stranger's.
 */
export class SignUpBrowsers {
  constructor(
    private readonly secret: KeyObject,
    /** Secrets of marks that other servers have made, or this one before its signing key was changed. */
    private readonly older: readonly KeyObject[] = [],
  ) {}

  /** What the browser shall keep of a sign-up. */
  mark(signUp: string): string {
    return markBy(this.secret, signUp);
  }

  /** Whether one of some marks is of this sign-up. */
  isKnown(marks: readonly string[], signUp: string): boolean {
    const expected = [this.secret, ...this.older].map((secret) => Buffer.from(markBy(secret, signUp)));
    return marks
      .map((mark) => Buffer.from(mark))
      .some((mark) => expected.some((each) => mark.length === each.length && timingSafeEqual(mark, each)));
  }
}

function markBy(secret: KeyObject, signUp: string): string {
  return createHmac('sha256', secret).update(`sign-up ${signUp}`).digest('base64url');
}
