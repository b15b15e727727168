import type { EntityManager } from '@mikro-orm/postgresql';
import type { Database } from '../database/database.js';
import { incorrectCredentials } from '../error.js';
import type { Journal } from '../observability/journal.js';
import type { SessionClient } from '../sessions/client-device.js';
import type { SessionReference, SessionService } from '../sessions/session.service.js';
import type { BaseUser } from '../users/base-user.entity.js';
import type { UserService } from '../users/user.service.js';
import type { AccountMails } from './account-mails.js';
import type { PasswordProof } from './password-proof.js';

/** Lets users leave. */
export class AccountDeletionService {
  constructor(
    private readonly database: Database,
    private readonly users: UserService,
    private readonly proof: PasswordProof,
    private readonly mails: AccountMails,
    private readonly sessions: SessionService,
    private readonly journal: Journal,
  ) {}

  /**
   * Ends every session and deletes the account with all that hangs on it: all of it or nothing.
   *
   * @param caller the session of the access token; it must still be live
   * @throws incorrect_credentials, too_many_requests, token_not_valid, service_unavailable
   */
  async delete(caller: SessionReference, password: string, client: SessionClient): Promise<void> {
    const user = await this.proof.check(caller, password, client);
    await this.database.transaction(async (em) => {
      await this.sessions.revokeAll(user.id, { em, reason: 'deletion' });
      // A password that was changed meanwhile is not the one that was checked.
      if (!(await this.users.replacePasswordHash(user, null, em))) throw incorrectCredentials();
      await this.deleteUser(user, em);
      await this.journal.record([['user.deleted', { user: caller.sub }]], em);
      await this.mails.sendNotice('account-deleted', user.email, em);
    });
  }

  /** Deletes the user's row; an app overrides this where its own tables do not cascade. */
  protected async deleteUser(user: BaseUser, em: EntityManager): Promise<void> {
    await em.nativeDelete(this.users.entity, { id: user.id } as never);
  }
}
