import type { Database } from '../database/database.js';
import type { AuthEvents } from '../observability/auth-events.js';
import type { UserService } from '../users/user.service.js';
import type { AccountMails } from './account-mails.js';
import type { DeferredWork } from './deferred-work.js';

/** Mails the owner of a session that was ended because its refresh token was copied. The mail never delays that end. */
export class TheftNotices {
  constructor(
    private readonly database: Database,
    private readonly users: UserService,
    private readonly mails: AccountMails,
    private readonly deferred: DeferredWork,
  ) {}

  /** Begins to listen, where mails are sent. */
  listen(events: AuthEvents): void {
    if (!this.mails.isOn) return;
    events.on('session.reuse-detected', ({ reuse, user }) => {
      if (reuse === 'replay') this.deferred.start('theft notice', () => this.#notify(user));
    });
  }

  async #notify(sub: string): Promise<void> {
    await this.database.transaction(async (em) => {
      const { email } = await this.users.getActive(em, sub);
      await this.mails.sendNotice('session-stolen', email, em);
    });
  }
}
