import { createHash } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { authError } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { SessionReference } from '../../sessions/session.service.js';
import type { TokenClaims } from '../../tokens/claims.js';
import { normalizeEmail } from '../../users/email.js';
import type { PasswordOwner } from '../../users/user.service.js';

/** The input of an address change. */
export interface EmailChange extends SessionClient {
  readonly email: string;
  /** Required if the user has a password. */
  readonly password?: string;
}

/** A requested change, stored until its mails are written. */
interface RequestedChange {
  readonly caller: SessionReference;
  readonly email: string;
  /** Digest of the password hash that was checked. */
  readonly password: string;
}

/** Changes the address of a signed-in user after the new mailbox was verified (`EmailVerificationService.confirm`). */
export class EmailChangeService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      'users' | 'freshness' | 'emailOwnership' | 'mailLimiter' | 'mails' | 'backgroundJobs' | 'sessions'
    >,
  ) {
    kernel.backgroundJobs.handle<RequestedChange>('email change', (requested, em) => this.#mail(requested, em));
  }

  /**
   * Mails a link to the new address and a notice to the old one. If the new address belongs to another account, no link
   * is mailed; the answer is the same.
   *
   * @param caller the claims of the access token; its session must still be live
   * @throws incorrect_credentials, validation_failed, too_many_requests, token_not_valid, service_unavailable
   * @throws reauthentication_required, second_factor_required for a user without a password
   */
  async request(caller: TokenClaims, { email, password, ...client }: EmailChange): Promise<void> {
    const user = await this.kernel.freshness.assertOwner(caller, { password }, client);
    if (normalizeEmail(email) === normalizeEmail(user.email)) {
      throw authError('validation_failed', { errors: [{ field: 'email', messages: ['is already your address'] }] });
    }
    await this.kernel.mailLimiter.countMail('email-change', email, client);
    await this.kernel.backgroundJobs.enqueue('email change', {
      caller: { session: caller.session, sub: caller.sub },
      email,
      password: digestOf(user),
    });
  }

  async #mail({ caller, email, password }: RequestedChange, em: EntityManager): Promise<void> {
    const user = await this.kernel.users.getActiveWithPassword(caller.sub, em);
    // If the password was changed since, the request may come from a thief.
    if (digestOf(user) !== password || !(await this.kernel.users.hasSamePassword(user, em))) return;
    await this.kernel.sessions.assertLive(caller, em);
    if (!(await this.kernel.emailOwnership.isTaken(email, em, user.id)))
      await this.kernel.mails.sendLink('email-change', user.id, normalizeEmail(email), em);
    await this.kernel.mails.sendNotice('email-change-notice', user.email, em, { newEmail: normalizeEmail(email) });
  }
}

/** Identifies the checked password without storing its hash. */
function digestOf({ passwordHash }: PasswordOwner): string {
  return createHash('sha256')
    .update(passwordHash ?? '')
    .digest('base64url');
}
