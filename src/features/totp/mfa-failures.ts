import { JwtAllauthError } from '../../error.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import { clientAddress } from '../../sessions/client-network.js';
import type { UserId } from '../../users/base-user.entity.js';
import type { TOTP_ERRORS } from './totp-errors.js';

/** Records wrong answers as `mfa.failed`. */
export class MfaFailures {
  constructor(private readonly kernel: Pick<AuthKernel, 'journal'>) {}

  /**
   * Runs an attempt, and records a failure if it throws `code_not_valid`. It is recorded outside of the attempt's
   * transaction, which is rolled back. The attempt calls `isAbout` before it checks the answer.
   */
  async watch<T>(
    { method, client: { ip } }: { readonly method: string; readonly client: SessionClient },
    attempt: (isAbout: (user: UserId) => void) => Promise<T>,
  ): Promise<T> {
    let user: UserId | undefined;
    try {
      return await attempt((id) => {
        user = id;
      });
    } catch (error) {
      if (user !== undefined && isWrongAnswer(error)) {
        await this.kernel.journal.record([['mfa.failed', { user: String(user), method, ip: clientAddress(ip) }]]);
      }
      throw error;
    }
  }
}

/** Whether an error says that a code is not valid. */
export function isWrongAnswer(error: unknown): boolean {
  return error instanceof JwtAllauthError && error.code === ('code_not_valid' satisfies keyof typeof TOTP_ERRORS);
}
