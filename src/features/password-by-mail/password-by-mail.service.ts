import type { EntityManager } from '@mikro-orm/postgresql';
import { tokenNotValid } from '../../error-table.js';
import type { PasswordPurpose } from '../../http/mailed-password-flow.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import { clientNetwork } from '../../sessions/client-network.js';
import { type BegunSignIn, type SignInDecision, tokensOf } from '../../sign-in/begun-sign-in.js';
import type { KeyPurpose } from '../../tokens/one-time-keys.js';
import type { Tokens } from '../../tokens/tokens.js';
import type { UserId } from '../../users/base-user.entity.js';

/** The key purposes that are accepted for each password purpose. */
const PURPOSES = {
  'password-reset': ['password-reset'],
  invitation: ['invitation', 'invitation-used'],
} as const satisfies Record<PasswordPurpose, readonly KeyPurpose[]>;

/** A valid mailed key, with its user and the address to which it was mailed. */
export interface MailedKey {
  readonly key: string;
  readonly user: UserId;
  readonly email: string;
}

/** Mails reset links, and sets the password of a user who opened the link of a reset or an invitation. */
export class PasswordByMailService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      | 'database'
      | 'users'
      | 'accounts'
      | 'hasher'
      | 'oneTimeKeys'
      | 'mailLimiter'
      | 'mails'
      | 'backgroundJobs'
      | 'sessions'
      | 'signIn'
      | 'journal'
      | 'passwordPolicy'
      | 'signInMethods'
    >,
  ) {
    const { backgroundJobs } = kernel;
    backgroundJobs.handle<{ email: string }>('password reset', ({ email }, em) => this.#mailLink(email, em));
  }

  /**
   * Mails a link to an active user, unless the user's invitation has expired. For any other address nothing is mailed.
   * The time to the answer does not depend on the address, because the work is stored first and done after the answer.
   *
   * @throws too_many_requests, service_unavailable
   */
  async request(email: string, client: SessionClient): Promise<void> {
    await this.kernel.mailLimiter.countMail('password-reset', email, client);
    await this.kernel.backgroundJobs.enqueue('password reset', { email });
  }

  async #mailLink(email: string, em: EntityManager): Promise<void> {
    const user = await this.kernel.users.findByEmail(email, em);
    if (!user?.isActive) return;
    // A reset must not revive an expired invitation.
    if (await this.kernel.accounts.hasExpiredInvitation(user.id, em)) return;
    await this.kernel.mails.sendLink('password-reset', user.id, user.email, em);
  }

  /** Finds the first valid key without using it; undefined if none is valid. @throws too_many_requests */
  async find(purpose: PasswordPurpose, keys: readonly string[], { ip }: SessionClient): Promise<MailedKey | undefined> {
    await this.kernel.mailLimiter.countKey(ip);
    for (const key of keys) {
      const found = await this.kernel.oneTimeKeys.find(key, PURPOSES[purpose]);
      if (found) return { key, user: found.user, email: found.email };
    }
    return undefined;
  }

  /**
   * In one transaction: sets the password, confirms the address, revokes all older sessions and mailed keys (also those
   * for a new address, but not those that undo a change), and opens a session. If two requests use the same key at the
   * same moment, one succeeds.
   *
   * @param found the result of `find` for the same purpose
   * @throws token_not_valid, validation_failed (the key stays valid), service_unavailable, and errors of hooks
   * @throws second_factor_required if the password was set and a gate requires a second factor
   */
  async set(
    purpose: PasswordPurpose,
    { key, user, email }: MailedKey,
    { newPassword, ...client }: SessionClient & { readonly newPassword: string },
  ): Promise<Tokens> {
    const owner = await this.kernel.database.read((em) => this.kernel.users.getActive(em, String(user)));
    await this.kernel.passwordPolicy.assertAllowed('newPassword', newPassword, owner);
    // Opening the mailed link proves the address.
    const confirmed = { id: user, email, isActive: true, emailVerified: true };
    const signIn = await this.kernel.signIn.begin({ user: confirmed, amr: ['mail', 'pwd'], client });
    const passwordHash = await this.kernel.hasher.hash(newPassword, { network: clientNetwork(client.ip) });
    const decision = await this.kernel.database.transaction((em) => this.#set(purpose, key, passwordHash, signIn, em));
    return tokensOf(decision);
  }

  async #set(
    purpose: PasswordPurpose,
    key: string,
    passwordHash: string,
    signIn: BegunSignIn,
    em: EntityManager,
  ): Promise<SignInDecision> {
    const claimed = await this.kernel.oneTimeKeys.claim(key, PURPOSES[purpose], em);
    if (claimed) await this.kernel.signInMethods.removeAtReset(claimed.user, em, { isPasswordSet: true });
    if (!claimed || !(await this.kernel.users.setPassword(claimed.user, passwordHash, em)))
      throw tokenNotValid('one-time-key');
    const { user: id, email } = claimed;
    await this.kernel.accounts.recordCredentialChange(id, em);
    await this.kernel.sessions.revokeAll(id, { em, reason: 'password-change' });
    await this.kernel.oneTimeKeys.revokeAll(id, em);
    await this.kernel.journal.record([['password.changed', { user: String(id) }]], em);
    if (purpose === 'password-reset') await this.kernel.mails.sendNotice('password-changed', email, em);
    return signIn.decide({ id, email, passwordHash, isActive: true, emailVerified: true }, em);
  }
}
