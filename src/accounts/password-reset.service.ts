import type { Database } from '../database/database.js';
import type { SessionClient } from '../sessions/client-device.js';
import type { UserService } from '../users/user.service.js';
import type { AccountMails } from './account-mails.js';
import type { DeferredWork } from './deferred-work.js';
import type { MailLimiter } from './mail-limiter.service.js';

/** Mails who forgot their password a link to set a new one (`PasswordSetter`). */
export class PasswordResetService {
  constructor(
    private readonly database: Database,
    private readonly users: UserService,
    private readonly limiter: MailLimiter,
    private readonly mails: AccountMails,
    private readonly deferred: DeferredWork,
  ) {}

  /** Mails a link to an active user. For any other address nothing happens, in the same time. @throws too_many_requests */
  async request(email: string, client: SessionClient): Promise<void> {
    await this.limiter.countMail(email, client);
    this.deferred.start('password reset', async () => {
      const user = await this.users.findByEmail(email);
      if (!user?.isActive) return;
      await this.database.transaction((em) => this.mails.sendLink('password-reset', user.id, user.email, em));
    });
  }
}
