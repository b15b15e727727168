import { authError } from '../error-table.js';
import type { Settings } from '../settings/settings.js';
import type { SignInAttempt } from './sign-in-attempt.js';
import type { SignInGate } from './sign-in-gate.js';

/**
 * With EMAIL_VERIFICATION=`mandatory`, refuses users whose address is not confirmed. Does not apply to a password
 * change, because its user is signed in already, unless it ends in a challenge (`Challenges.issue`).
 */
export class VerifiedAddressGate implements SignInGate {
  constructor(private readonly settings: Pick<Settings, 'emailVerification'>) {}

  /** @throws email_not_verified */
  async check({ user, caller }: SignInAttempt): Promise<void> {
    if (this.settings.emailVerification !== 'mandatory' || caller) return;
    if (!user.emailVerified) throw authError('email_not_verified');
  }
}
