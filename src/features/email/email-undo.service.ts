import type { EntityManager } from '@mikro-orm/postgresql';
import { isUniqueViolation } from '../../database/constraint-violation.js';
import type { AuthKernel } from '../../kernel.js';
import { createRandomKey } from '../../secrets/random-key.js';
import type { SessionClient } from '../../sessions/client-device.js';
import { UNDO_PURPOSES } from '../../tokens/one-time-keys.js';
import type { UserId } from '../../users/base-user.entity.js';

/** How long an address change can be undone, in seconds. */
const LIFETIME_SECONDS = 72 * 3600;

/** A completed address change. */
export interface ChangedEmail {
  readonly user: UserId;
  readonly from: string;
  /** Whether the old address was marked as confirmed. */
  readonly isProved: boolean;
  readonly to: string;
}

/**
 * Undoes address changes with a link that is mailed to the old address. Later password or address changes do not
 * invalidate the link, because a thief could make them. Using one link invalidates those that were mailed later.
 */
export class EmailUndoService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      | 'database'
      | 'users'
      | 'accounts'
      | 'oneTimeKeys'
      | 'emailOwnership'
      | 'signUps'
      | 'mailLimiter'
      | 'mails'
      | 'sessions'
      | 'journal'
      | 'signInMethods'
      | 'secondFactors'
      | 'settings'
    >,
  ) {}

  /**
   * Mails the old address, in the transaction of the change. The mail has a link if the old address was marked as
   * confirmed, unless the user has three valid links already. A mailbox that was never verified may belong to a
   * stranger, so these mails are limited per mailbox.
   */
  async notify({ user, from, isProved, to }: ChangedEmail, em: EntityManager): Promise<void> {
    // With EMAIL_VERIFICATION=none every address counts as confirmed, but none was verified.
    const isSure = isProved && this.kernel.settings.emailVerification !== 'none';
    if (!isSure && !(await this.kernel.mailLimiter.admitsNotice('email-changed', from, em))) return;
    const purpose = isProved ? await this.kernel.oneTimeKeys.freeUndoPurpose(user, em) : undefined;
    const key = purpose && createRandomKey();
    if (key) {
      const owner = await this.kernel.sessions.ownerOf(user, em);
      // A factor that no sign-in asks for protects nothing. It must not keep the second factor of a thief.
      const hadSecondFactor = this.kernel.secondFactors.isAskedOf(owner.secondFactors);
      const what = { purpose, user, email: from, hadSecondFactor };
      await this.kernel.oneTimeKeys.remember(key, what, LIFETIME_SECONDS, em);
    }
    await this.kernel.mails.sendChangedEmail(from, { newEmail: to, key, seconds: LIFETIME_SECONDS }, em);
  }

  /** Finds the first valid key, and the address that it would restore, without using it. @throws too_many_requests */
  async find(
    keys: readonly string[],
    { ip }: SessionClient,
  ): Promise<{ readonly key: string; readonly email: string } | undefined> {
    await this.kernel.mailLimiter.countKey(ip);
    for (const key of keys) {
      const found = await this.kernel.oneTimeKeys.find(key, UNDO_PURPOSES);
      if (found) return { key, email: found.email };
    }
    return undefined;
  }

  /**
   * Restores the old address as a confirmed one. In the same transaction it removes what a thief may know or have made:
   *
   * - every session, and every pending link except older undo links;
   * - the password, and the methods to sign in that a new password replaces;
   * - other methods that are newer than the change.
   *
   * A second factor stays if the user had one at the change, even if it was replaced later: access to the old mailbox
   * alone must not remove it.
   *
   * @param keys of several keys, the first valid one is used
   * @returns a key to set a new password; undefined if no key is valid, or if another account has the address now
   * @throws too_many_requests, service_unavailable
   */
  async undo(keys: readonly string[], client: SessionClient): Promise<string | undefined> {
    const found = await this.find(keys, client);
    if (!found) return undefined;
    try {
      return await this.kernel.database.transaction((em) => this.#undo(found.key, em));
    } catch (error) {
      if (isUniqueViolation(error)) return undefined; // another account got the address at the same moment
      throw error;
    }
  }

  async #undo(key: string, em: EntityManager): Promise<string | undefined> {
    const found = await this.kernel.oneTimeKeys.claimUndo(key, em);
    if (!found) return undefined;
    const { user, email, expiresAt, hadSecondFactor } = found;
    if (!(await this.kernel.emailOwnership.claim(email, em, user))) return undefined;
    if (!(await this.kernel.users.restoreEmail(user, email, em))) return undefined;
    // A new second factor or provider voids the link to the new address. So none was added between request and change.
    const since = new Date(expiresAt - LIFETIME_SECONDS * 1000);
    await this.kernel.signInMethods.removeSince(user, { since, hadSecondFactor }, em);
    // As the new password does. Until it is set, a thief could sign in with a provider older than the change.
    await this.kernel.signInMethods.removeAtReset(user, em, { isPasswordSet: false });
    await this.kernel.accounts.recordCredentialChange(user, em);
    await this.kernel.sessions.revokeAll(user, { em, reason: 'password-change' });
    await this.kernel.oneTimeKeys.revokeAll(user, em);
    await this.kernel.signUps.invalidateAll(email, em);
    await this.kernel.journal.record([['email.changed', { user: String(user) }]], em);
    return this.kernel.oneTimeKeys.issue('password-reset', user, email, this.kernel.settings.passwordResetLifetime, em);
  }
}
