import { ErrorCode, JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';

/** What a client needs to go on with a sign-in whose second factor is missing. */
export interface Challenge {
  /** An opaque string that names the sign-in. */
  readonly challenge: string;
  /** What the user can prove: `totp`, `recovery_code`, `passkey`, `totp_setup`. */
  readonly methods: readonly string[];
  /** Seconds for which the challenge is good. */
  readonly expires_in: number;
}

/** 401: the first proof was right, and a second factor is missing. A gate throws it in place of a session. */
export function secondFactorRequired({ challenge, methods, expires_in }: Challenge): JwtAllauthError {
  return authError('second_factor_required', { members: { challenge, methods, expires_in } });
}

/** Whether an error is a challenge: what was asked for is done, and only the session is missing. */
export function isChallenge(error: unknown): error is JwtAllauthError {
  return error instanceof JwtAllauthError && error.code === ErrorCode.SecondFactorRequired;
}
