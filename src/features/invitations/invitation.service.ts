import type { EntityManager } from '@mikro-orm/postgresql';
import { authError } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionReference } from '../../sessions/session.service.js';

/** The person to invite. */
export interface Invitation {
  readonly email: string;
  readonly role: number;
  readonly firstName?: string;
  readonly lastName?: string;
}

/** Invites users. An invited user accepts by setting a password (`PasswordByMailService`). */
export class InvitationService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      | 'userCreation'
      | 'database'
      | 'users'
      | 'accounts'
      | 'emailOwnership'
      | 'mailLimiter'
      | 'mails'
      | 'sessions'
      | 'journal'
      | 'settings'
    >,
  ) {}

  /**
   * Creates a user without a password, and mails a link with which the user sets one. No other user can get the address
   * before the invitation expires.
   *
   * @param caller session and user of the caller's access token; the session must not have ended
   * @throws permission_denied if the caller's role may not invite, or is lower than the role of the invitation
   * @throws email_already_registered, too_many_requests, token_not_valid, service_unavailable
   */
  async invite(caller: SessionReference, invitation: Invitation): Promise<void> {
    await this.kernel.sessions.assertLive(caller);
    // Read from the database, because the role in the token may be outdated.
    const { role } = await this.kernel.database.read((em) => this.kernel.users.getActive(em, caller.sub));
    if (!this.kernel.settings.registrationAllowedRoles.includes(role) || invitation.role > role) {
      throw authError('permission_denied', { detail: 'You are not allowed to invite a user with this role.' });
    }
    await this.kernel.mailLimiter.countMail('invitation', invitation.email);
    const create = () => this.kernel.database.transaction((em) => this.#invite(invitation, em));
    await this.kernel.emailOwnership.insert(invitation.email, {}, create);
  }

  async #invite(invitation: Invitation, em: EntityManager): Promise<void> {
    if (!(await this.kernel.emailOwnership.claim(invitation.email, em))) throw authError('email_already_registered');
    const { email, role, firstName, lastName } = invitation;
    const account = { passwordHash: null, emailVerified: false };
    const user = await this.kernel.userCreation.create(
      { email, role, ...account, fields: { firstName, lastName } },
      em,
    );
    await this.kernel.accounts.recordInvitation(user.id, this.kernel.settings.invitationLifetime, em);
    await this.kernel.mails.sendLink('invitation', user.id, user.email, em);
    await this.kernel.journal.record([['user.invited', { user: String(user.id) }]], em);
  }
}
