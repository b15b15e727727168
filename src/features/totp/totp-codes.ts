import { timingSafeEqual } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';

/** Length of a secret in bytes: that of a SHA-1 hash (RFC 4226 §4, R6). */
const SECRET_BYTES = 20;

/** The parameters that every authenticator app supports. They are the defaults of RFC 6238. */
const PARAMETERS = { algorithm: 'SHA1', digits: 6, period: 30 } as const;

/** How many time steps a code may be older or newer than the server's clock (RFC 6238 §5.2). */
const TOLERANCE_STEPS = 1;

/** Makes a secret of 160 random bits, in base32. */
export function createTotpSecret(): string {
  return new Secret({ size: SECRET_BYTES }).base32;
}

/**
 * The time step of a code (RFC 6238). Undefined if it is not the code of the current step, the one before or the next.
 * The comparison takes the same time for every code.
 *
 * @param code six digits, with or without spaces
 * @param now in milliseconds since the epoch
 */
export function stepOfCode(secret: string, code: string, now: number): number | undefined {
  const digits = code.replace(/\s/g, '');
  if (!/^[0-9]{6}$/.test(digits)) return undefined;
  const current = TOTP.counter({ period: PARAMETERS.period, timestamp: now });
  let found: number | undefined;
  for (let step = current - TOLERANCE_STEPS; step <= current + TOLERANCE_STEPS; step++) {
    const isRight = timingSafeEqual(Buffer.from(codeOfStep(secret, step)), Buffer.from(digits));
    found = isRight ? step : found;
  }
  return found;
}

function codeOfStep(secret: string, step: number): string {
  const timestamp = step * PARAMETERS.period * 1000;
  return TOTP.generate({ ...PARAMETERS, secret: Secret.fromBase32(secret), timestamp });
}

/** The URI that authenticator apps read: `otpauth://totp/Issuer:account?secret=…`. */
export function totpUri(secret: string, { issuer, account }: { readonly issuer: string; readonly account: string }) {
  return new TOTP({ ...PARAMETERS, secret: Secret.fromBase32(secret), issuer, label: account }).toString();
}
