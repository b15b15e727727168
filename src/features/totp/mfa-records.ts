import type { EntityManager } from '@mikro-orm/postgresql';
import type { AuthKernel } from '../../kernel.js';
import type { NewEvent } from '../../observability/auth-events.js';
import type { SessionClient } from '../../sessions/client-device.js';
import { clientAddress } from '../../sessions/client-network.js';
import type { UserId } from '../../users/base-user.entity.js';
import type { TOTP_MAILS } from './totp.mails.js';
import { isWrongAnswer } from './totp-errors.js';

/** Records what happens to the second factors of users: changes, and wrong answers. */
export class MfaRecords {
  constructor(private readonly kernel: Pick<AuthKernel, 'users' | 'mails' | 'journal'>) {}

  /** Records a change and mails the user a notice, in the transaction of the change. */
  async change(
    user: UserId,
    { events, notice }: { readonly events: readonly NewEvent[]; readonly notice: keyof typeof TOTP_MAILS },
    em: EntityManager,
  ): Promise<void> {
    const { users, mails, journal } = this.kernel;
    await journal.record(events, em);
    const account = await users.findById(user, em);
    if (account) await mails.sendNotice(notice, account.email, em);
  }

  /**
   * Runs an attempt, and records `mfa.failed` if it throws `code_not_valid`. It is recorded outside of the attempt's
   * transaction, which is rolled back. The attempt calls `setUser` before it checks the answer.
   */
  async watch<T>(
    { method, client: { ip } }: { readonly method: string; readonly client: SessionClient },
    attempt: (setUser: (user: UserId) => void) => Promise<T>,
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
