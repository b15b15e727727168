import type { Database } from '../database/database.js';
import { validationFailed } from '../error.js';
import type { SessionClient } from '../sessions/client-device.js';
import type { SessionReference, SessionService } from '../sessions/session.service.js';
import { normalizeEmail } from '../users/email.js';
import type { UserService } from '../users/user.service.js';
import type { AccountMails } from './account-mails.js';
import type { Addresses } from './addresses.js';
import type { DeferredWork } from './deferred-work.js';
import type { MailLimiter } from './mail-limiter.service.js';
import type { PasswordProof } from './password-proof.js';

/** What somebody who changes their address gives. */
export interface EmailChange extends SessionClient {
  readonly email: string;
  readonly password: string;
}

/** Changes the address of a signed-in user, once the new mailbox is proved (`EmailVerificationService.confirm`). */
export class EmailChangeService {
  constructor(
    private readonly database: Database,
    private readonly users: UserService,
    private readonly proof: PasswordProof,
    private readonly addresses: Addresses,
    private readonly limiter: MailLimiter,
    private readonly mails: AccountMails,
    private readonly deferred: DeferredWork,
    private readonly sessions: SessionService,
  ) {}

  /**
   * Mails a link to the new address and a notice to the old one. To an address that is taken no link is mailed, which the
   * caller is not told.
   *
   * @param caller the session of the access token; it must still be live
   * @throws incorrect_credentials, validation_failed, too_many_requests, token_not_valid, service_unavailable
   */
  async request(caller: SessionReference, { email, password, ...client }: EmailChange): Promise<void> {
    const user = await this.proof.check(caller, password, client);
    if (normalizeEmail(email) === normalizeEmail(user.email)) {
      throw validationFailed([{ field: 'email', messages: ['is your address already'] }]);
    }
    await this.limiter.countMail('email-change', email, client);
    this.deferred.start('email change', async () => {
      await this.database.transaction(async (em) => {
        // Who has another password by now did not ask for this.
        if (!(await this.users.hasPassword(user, em))) return;
        await this.sessions.assertLive(caller, em);
        if (!(await this.addresses.isTaken(email, em)))
          await this.mails.sendLink('email-change', user.id, normalizeEmail(email), em);
        await this.mails.sendNotice('email-change-notice', user.email, em, { newEmail: normalizeEmail(email) });
      });
    });
  }
}
