import type { Database } from '../database/database.js';
import type { SessionClient } from '../sessions/client-device.js';
import type { Tokens } from '../tokens/tokens.js';
import type { UserService } from '../users/user.service.js';
import type { AccountMails } from './account-mails.js';
import type { DeferredWork } from './deferred-work.js';
import type { MailLimiter } from './mail-limiter.service.js';
import type { MailedPassword, PasswordSetter } from './password-setter.js';

/** A new password for who forgot the old one, by a link in a mail. */
export class PasswordResetService {
  constructor(
    private readonly database: Database,
    private readonly users: UserService,
    private readonly limiter: MailLimiter,
    private readonly mails: AccountMails,
    private readonly deferred: DeferredWork,
    private readonly setter: PasswordSetter,
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

  /** The address that a key was mailed to; undefined for one that is good for nothing. @throws too_many_requests */
  async emailOf(key: string, client: SessionClient): Promise<string | undefined> {
    return this.setter.find('password-reset', key, client);
  }

  /** Sets the new password and signs in; everything older is over. @throws as `PasswordSetter.set` */
  async set(password: MailedPassword): Promise<Tokens> {
    return this.setter.set('password-reset', password);
  }
}
