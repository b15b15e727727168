import type { EntityManager } from '@mikro-orm/postgresql';
import type { AccountMails } from '../../mail/account-mails.js';
import type { DeferredWork } from '../../mail/deferred-work.js';
import type { AuthEvents } from '../../observability/auth-events.js';
import type { UserService } from '../../users/user.service.js';

/** Mails the owner of a session that was ended because its refresh token was copied. The mail never delays that end. */
export class TheftNotices {
  constructor(
    private readonly users: UserService,
    private readonly mails: AccountMails,
    private readonly deferred: DeferredWork,
  ) {
    deferred.handle<{ user: string }>('theft notice', ({ user }, em) => this.#notify(user, em));
  }

  /** Begins to listen, where mails are sent. */
  listen(events: AuthEvents): void {
    if (!this.mails.isOn) return;
    events.on('session.reuse-detected', ({ reuse, user }) => {
      return reuse === 'replay' && this.deferred.later('theft notice', { user });
    });
  }

  async #notify(sub: string, em: EntityManager): Promise<void> {
    const { email } = await this.users.getActive(em, sub);
    await this.mails.sendNotice('session-stolen', email, em);
  }
}
