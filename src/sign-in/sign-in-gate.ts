import type { SignInAttempt } from './sign-in-attempt.js';

/** Decides whether a user who has proved who they are may have a session. Each way in passes every gate, in order. */
export interface SignInGate {
  /**
   * Resolves to let the sign-in pass, and throws to refuse it: `secondFactorRequired` for a challenge, any other error
   * for a refusal.
   *
   * What let the sign-in in is compared once more when the session is inserted: password hash and activity. What a gate
   * reads of its own can have changed by then.
   */
  check(attempt: SignInAttempt): Promise<void>;
}
