import type { SecondFactor } from '../../sign-in/second-factor.js';
import type { UserId } from '../../users/base-user.entity.js';
import type { TotpSettings } from './totp.settings.js';
import { SETUP_METHOD } from './totp-setup.service.js';
import type { TotpStore } from './totp-store.js';

/** The second factor as the sign-in sees it. */
export function totpFactor(totpStore: TotpStore, { mfaMode, mfaRateLimit }: TotpSettings): SecondFactor {
  return {
    name: 'totp',
    isAlwaysAsked: true,
    ...(mfaMode === 'required' && { setupMethod: SETUP_METHOD }),
    limits: mfaRateLimit,
    async methodsOf(user: UserId, em) {
      const left = await totpStore.recoveryCodesLeft(user, em);
      if (left === undefined) return [];
      return left > 0 ? ['totp', 'recovery_code'] : ['totp'];
    },
  };
}
