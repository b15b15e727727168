import type { SignInAttempt } from './sign-in-attempt.js';

/** Decides whether an authenticated user may have a session. Every sign-in passes all gates, in order. */
export interface SignInGate {
  /**
   * Resolves to accept the sign-in. Throws `secondFactorRequired` to ask for a second factor, or any other error to
   * refuse it.
   *
   * The statement that inserts the session compares password hash, credential epoch and activity again. It does not
   * compare other data that a gate has read, which may have changed by then.
   */
  check(attempt: SignInAttempt): Promise<void>;
}
