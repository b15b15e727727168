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

/** The sentence for a signed-in user, whose session has no second factor yet. */
const STEP_UP_DETAIL = 'This needs a second factor; authenticate again with it.';

/**
 * Makes the error (401) that asks for a second factor. With a challenge: for a sign-in whose first factor was right; a
 * `SignInGate` can throw it. Without one: for a signed-in user whose session lacks a second factor (RFC 9470).
 */
export function secondFactorRequired(challenge?: Challenge): JwtAllauthError {
  if (!challenge) return authError('second_factor_required', { detail: STEP_UP_DETAIL, stepUp: { acrValues: 'mfa' } });
  const { challenge: id, methods, expires_in } = challenge;
  return authError('second_factor_required', { members: { challenge: id, methods, expires_in } });
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
