import { authError } from '../error-table.js';
import type { SignInAttempt } from './sign-in-attempt.js';
import type { SignInGate } from './sign-in-gate.js';

/** Refuses users who are not active. */
export class ActivityGate implements SignInGate {
  /** @throws no_active_account */
  async check({ user }: SignInAttempt): Promise<void> {
    if (!user.isActive) throw authError('no_active_account');
  }
}
