import { createHash } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { authError } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { SessionReference } from '../../sessions/session.service.js';
import { normalizeEmail } from '../../users/email.js';
import type { PasswordOwner } from '../../users/user.service.js';

/** What somebody who changes their address gives. */
export interface EmailChange extends SessionClient {
  readonly email: string;
  readonly password: string;
}

/** A change that was asked for, until its mails are written. */
interface AskedChange {
  readonly caller: SessionReference;
  readonly email: string;
  /** Digest of the hash of the password that was checked. */
  readonly password: string;
}

/** Changes the address of a signed-in user, once the new mailbox is proved (`EmailVerificationService.confirm`). */
export class EmailChangeService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      'users' | 'passwordProof' | 'addresses' | 'mailLimiter' | 'mails' | 'backgroundJobs' | 'sessions'
    >,
  ) {
    const { backgroundJobs: deferred } = kernel;
    deferred.handle<AskedChange>('email change', (asked, em) => this.#mail(asked, em));
  }

  /**
   * Mails a link to the new address and a notice to the old one. To an address that is taken no link is mailed, which
   * the caller is not told.
   *
   * @param caller the session of the access token; it must still be live
   * @throws incorrect_credentials, validation_failed, too_many_requests, token_not_valid, service_unavailable
   */
  async request(caller: SessionReference, { email, password, ...client }: EmailChange): Promise<void> {
    const user = await this.kernel.passwordProof.check(caller, password, client);
    if (normalizeEmail(email) === normalizeEmail(user.email)) {
      throw authError('validation_failed', { errors: [{ field: 'email', messages: ['is your address already'] }] });
    }
    await this.kernel.mailLimiter.countMail('email-change', email, client);
    await this.kernel.backgroundJobs.enqueue('email change', {
      caller: { session: caller.session, sub: caller.sub },
      email,
      password: digestOf(user),
    });
  }

  async #mail({ caller, email, password }: AskedChange, em: EntityManager): Promise<void> {
    const user = await this.kernel.users.getActiveWithPassword(caller.sub, em);
    // Who has another password by now did not ask for this.
    if (digestOf(user) !== password || !(await this.kernel.users.hasPassword(user, em))) return;
    await this.kernel.sessions.assertLive(caller, em);
    if (!(await this.kernel.addresses.isTaken(email, em, user.id)))
      await this.kernel.mails.sendLink('email-change', user.id, normalizeEmail(email), em);
    await this.kernel.mails.sendNotice('email-change-notice', user.email, em, { newEmail: normalizeEmail(email) });
  }
}

/** Says which password was checked, without its hash. */
function digestOf({ passwordHash }: PasswordOwner): string {
  return createHash('sha256')
    .update(passwordHash ?? '')
    .digest('base64url');
}
