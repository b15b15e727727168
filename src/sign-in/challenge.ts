import { ErrorCode, JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';

/** What a client needs to continue a sign-in that requires a second factor. */
export interface Challenge {
  /** An opaque string that identifies the sign-in. */
  readonly challenge: string;
  /** The methods that the user can use: `totp`, `recovery_code`, `passkey`, or `totp_setup` to set one up first. */
  readonly methods: readonly string[];
  /** Lifetime of the challenge, in seconds. The three members have the names of the JSON response. */
  readonly expires_in: number;
}

/** Makes the error (401) that a `SignInGate` throws to ask for a second factor, after the first one was right. */
export function secondFactorRequired({ challenge, methods, expires_in }: Challenge): JwtAllauthError {
  return authError('second_factor_required', { members: { challenge, methods, expires_in } });
}

/**
 * Whether an error is a challenge. If so, what the request asked for is done (the password is set, for
 * example), and only the session is not open yet.
 */
export function isChallenge(error: unknown): error is JwtAllauthError {
  return (
    error instanceof JwtAllauthError && error.code === ErrorCode.SecondFactorRequired && error.hasMember('challenge')
  );
}
