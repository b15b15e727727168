import type { EntityManager } from '@mikro-orm/postgresql';
import { isForeignKeyViolation, isNotNullViolation, violatedConstraint } from '../../database/constraint-violation.js';
import { authError } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import type { UserEvent } from '../../observability/auth-events.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { SessionReference } from '../../sessions/session.service.js';
import type { TokenClaims } from '../../tokens/claims.js';
import type { BaseUser } from '../../users/base-user.entity.js';
import { accountError } from './account-errors.js';

declare module '../../observability/auth-events.js' {
  interface AuthEventMap {
    'user.deleted': UserEvent;
  }
}

/** Deletes accounts at the request of their users. */
export class AccountDeletionService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      'database' | 'users' | 'freshness' | 'mails' | 'sessions' | 'journal' | 'logger'
    >,
  ) {}

  /**
   * Revokes every session and deletes the account with all rows of the library that belong to it, in one transaction.
   *
   * @param caller the claims of the access token; its session must still be live
   * @param password undefined is accepted only from a user without a password, whose session must be fresh
   * @throws incorrect_credentials, validation_failed, too_many_requests, token_not_valid, service_unavailable
   * @throws reauthentication_required, second_factor_required for a user without a password
   * @throws account_in_use if a foreign key of the app prevents the deletion; the log entry names the key
   */
  async delete(caller: TokenClaims, password: string | undefined, client: SessionClient): Promise<void> {
    const user = await this.kernel.freshness.assertOwner(caller, { password }, client);
    try {
      await this.#delete(user, caller);
    } catch (error) {
      if (!isForeignKeyViolation(error) && !isNotNullViolation(error)) throw error;
      this.kernel.logger.warn(violatedConstraint(error), 'an account could not be deleted');
      throw accountError('account_in_use', { cause: error });
    }
  }

  async #delete(user: BaseUser, caller: SessionReference): Promise<void> {
    await this.kernel.database.transaction(async (em) => {
      await this.kernel.sessions.revokeAll(user.id, { em, reason: 'deletion' });
      // The password may have been changed since it was checked.
      if (!(await this.kernel.users.hasSamePassword(user, em))) throw authError('incorrect_credentials');
      await this.deleteUser(user, em);
      await this.kernel.journal.record([['user.deleted', { user: caller.sub }]], em);
      await this.kernel.mails.sendNotice('account-deleted', user.email, em);
    });
  }

  /** Deletes the user's row. Override this if your app's tables do not cascade. */
  protected async deleteUser(user: BaseUser, em: EntityManager): Promise<void> {
    await this.kernel.users.delete(user.id, em);
  }
}
