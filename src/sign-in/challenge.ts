import { ErrorCode, JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';

/** What a client needs to continue a sign-in that requires a second factor. */
export interface Challenge {
  /** An opaque string that identifies the sign-in. */
  readonly challenge: string;
  /** The methods that the user can use: `totp`, `recovery_code`, `passkey`, `totp_setup`. */
  readonly methods: readonly string[];
  /** Lifetime of the challenge, in seconds. */
  readonly expires_in: number;
}

/** 401: the first factor was right, and a second factor is required. A gate throws this error to ask for it. */
export function secondFactorRequired({ challenge, methods, expires_in }: Challenge): JwtAllauthError {
  return authError('second_factor_required', { members: { challenge, methods, expires_in } });
}

/** Whether an error is a challenge. If so, the request has succeeded, and only the session is missing. */
export function isChallenge(error: unknown): error is JwtAllauthError {
  return error instanceof JwtAllauthError && error.code === ErrorCode.SecondFactorRequired;
}
