import { createRequire } from 'node:module';

const load = createRequire(import.meta.url);

/**
 * The code that an authenticator app shows for a secret of `jwt-allauth/totp`. Each code works once: move the clock on
 * by 30 seconds before the next one.
 *
 * @param secret in base32, from the answer of `POST /mfa/totp/setup`
 * @param at in milliseconds since the epoch, such as `app.clock.now()`. Default: the system's clock
 * @throws an error that names `otpauth` if that package is not installed
 */
export function totpCode(secret: string, at: number | Date = Date.now()): string {
  // Loaded here, because only apps with second factors have this package.
  const { Secret, TOTP } = load('otpauth') as typeof import('otpauth');
  return TOTP.generate({ secret: Secret.fromBase32(secret), timestamp: Number(at) });
}
