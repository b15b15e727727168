import type { Database } from '../database/database.js';
import type { Journal } from '../observability/journal.js';
import type { OneTimeKeys } from '../tokens/one-time-keys.js';
import type { Accounts } from '../users/accounts.js';
import type { UserId } from '../users/base-user.entity.js';
import type { UserService } from '../users/user.service.js';
import type { SessionService } from './session.service.js';

/** Deactivates users. */
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
   * Deactivates a user, ends all sessions and invalidates the mailed links, in one transaction. Links that undo an
   * address change are kept, but do not work while the user is inactive. When it returns, no parallel sign-in or
   * rotation can leave a live session. (If the app sets a user inactive by itself, the sessions end at their next
   * refresh.)
   *
   * @returns false if there is no such user, or the user was inactive already. Sessions are ended in any case
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
