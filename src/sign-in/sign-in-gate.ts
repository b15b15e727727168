import type { SignInAttempt } from './sign-in-attempt.js';

/** Decides whether a user who has proved who they are may have a session. Each way in passes every gate, in order. */
export interface SignInGate {
  /**
   * Resolves to let the sign-in pass, and throws to refuse it: `secondFactorRequired` for a challenge, any other error
   * for a refusal.
   *
   * The statement that inserts the session compares password hash, credential epoch and activity once more. It does not
   * compare what a gate has read itself: that can have changed by then.
   */
  check(attempt: SignInAttempt): Promise<void>;
}
