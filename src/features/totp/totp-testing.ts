// The entry point `jwt-allauth/totp/testing`, for tests of an app.

import { Secret, TOTP } from 'otpauth';

/**
 * The code that an authenticator app shows for a secret. Each code works once: move the clock on by 30 seconds before
 * the next one.
 *
 * @param secret in base32, from the answer of `POST /mfa/totp/setup`
 * @param at in milliseconds since the epoch, such as `app.clock.now()`. Default: the system's clock
 */
export function totpCode(secret: string, at: number | Date = Date.now()): string {
  // With the defaults of RFC 6238, as authenticator apps do, and not with the library's own code.
  return TOTP.generate({ secret: Secret.fromBase32(secret), timestamp: Number(at) });
}
