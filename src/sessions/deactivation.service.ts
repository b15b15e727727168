import type { Database } from '../database/database.js';
import type { Journal } from '../observability/journal.js';
import type { OneTimeKeys } from '../tokens/one-time-keys.js';
import type { Accounts } from '../users/accounts.js';
import type { UserId } from '../users/base-user.entity.js';
import type { UserService } from '../users/user.service.js';
import type { SessionService } from './session.service.js';

/** Takes an account out of use. */
export class DeactivationService {
  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly users: UserService;
      readonly accounts: Accounts;
      readonly sessions: SessionService;
      readonly oneTimeKeys: OneTimeKeys;
      readonly journal: Journal;
    },
  ) {}

  /**
   * Deactivates a user and ends every session and every mailed link, in one transaction. When it returns, no login and
   * no rotation that was under way can leave a live session behind. A user who is set inactive in any other way loses
   * the sessions at their next use. False: there is no such user, or not an active one; sessions are ended all the
   * same.
   */
  async deactivate(id: UserId): Promise<boolean> {
    return this.kernel.database.transaction(async (em) => {
      const isDeactivated = await this.kernel.users.deactivate(id, em);
      await this.kernel.accounts.recordCredentialChange(id, em);
      await this.kernel.sessions.revokeAll(id, { em, reason: 'deactivation' });
      await this.kernel.oneTimeKeys.revokeAll(id, em);
      if (isDeactivated) await this.kernel.journal.record([['user.deactivated', { user: String(id) }]], em);
      return isDeactivated;
    });
  }
}
