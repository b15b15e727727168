import type { SecondFactor } from '../../sign-in/second-factor.js';
import type { MfaService } from './mfa.service.js';
import type { TotpSettings } from './totp.settings.js';
import type { TotpStore } from './totp-store.js';

/** The method of a challenge that a user answers by a first set-up (MFA_MODE=`required`). */
export const SETUP_METHOD = 'totp_setup';

/** What the methods add to the `amr` of a session (RFC 8176; `recovery` is a name of this library). */
export const AMR = {
  totp: ['otp', 'mfa'],
  recovery_code: ['recovery', 'mfa'],
  [SETUP_METHOD]: ['otp', 'mfa'],
} as const;

/** The second factor as the sign-in sees it. */
export function totpFactor(
  { totpStore, mfa }: { readonly totpStore: TotpStore; readonly mfa: MfaService },
  { mfaMode, mfaRateLimit }: TotpSettings,
): SecondFactor {
  return {
    name: 'totp',
    isAlwaysAsked: true,
    ...(mfaMode === 'required' && { setupMethod: SETUP_METHOD }),
    limits: mfaRateLimit,
    async methodsOf(user, em) {
      const left = await totpStore.recoveryCodesLeft(user, em);
      if (left === undefined) return [];
      return left > 0 ? ['totp', 'recovery_code'] : ['totp'];
    },
    removeSince: (user, takenBack, em) => mfa.removeSince(user, takenBack, em),
  };
}
