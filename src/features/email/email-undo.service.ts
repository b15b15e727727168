import type { EntityManager } from '@mikro-orm/postgresql';
import { isUniqueViolation } from '../../database/constraint-violation.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import { UNDO_PURPOSES } from '../../tokens/one-time-keys.js';
import type { UserId } from '../../users/base-user.entity.js';

/** Seconds for which a changed address can be taken back. */
const LIFETIME_SECONDS = 72 * 3600;

/** A change of an address that has happened. */
export interface ChangedEmail {
  readonly user: UserId;
  readonly from: string;
  /** Whether the old address counts as confirmed. */
  readonly isProved: boolean;
  readonly to: string;
}

/**
 * The way back after an address was changed: a link in a mail to the old one. Neither another password nor further
 * changes void it, for a thief could make them. Using one voids those that were mailed later.
 */
export class EmailUndoService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      | 'database'
      | 'users'
      | 'accounts'
      | 'oneTimeKeys'
      | 'addresses'
      | 'signUps'
      | 'mailLimiter'
      | 'mails'
      | 'sessions'
      | 'journal'
      | 'settings'
    >,
  ) {}

  /**
   * Mails the old address, in the transaction of the change: with a link if the mailbox was proved. One that may be a
   * stranger's, because nobody had to prove it, is mailed within the limit of a mailbox only.
   */
  async notify({ user, from, isProved, to }: ChangedEmail, em: EntityManager): Promise<void> {
    // Under `none` every address counts as confirmed, and nobody has proved it.
    const isSure = isProved && this.kernel.settings.emailVerification !== 'none';
    if (!isSure && !(await this.kernel.mailLimiter.admitsNotice('email-changed', from, em))) return;
    const purpose = isProved ? await this.kernel.oneTimeKeys.freeUndoPurpose(user, em) : undefined;
    const key = purpose && (await this.kernel.oneTimeKeys.issue(purpose, user, from, LIFETIME_SECONDS, em));
    await this.kernel.mails.sendChangedEmail(from, { newEmail: to, key, seconds: LIFETIME_SECONDS }, em);
  }

  /**
   * The first good one of some keys, and the address that it would bring back, without using it. @throws
   * too_many_requests
   */
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
   * Gives the old address back as a confirmed one, ends every session and every pending link, and takes the password,
   * which a thief knows: all of it or nothing.
   *
   * @param keys of several the first that is good is used
   * @returns a key to set a new password; undefined for keys that are good for nothing, or if somebody has the address
   * @throws too_many_requests, service_unavailable
   */
  async undo(keys: readonly string[], client: SessionClient): Promise<string | undefined> {
    const found = await this.find(keys, client);
    if (!found) return undefined;
    try {
      return await this.kernel.database.transaction((em) => this.#undo(found.key, em));
    } catch (error) {
      if (isUniqueViolation(error)) return undefined; // somebody got the address at this moment
      throw error;
    }
  }

  async #undo(key: string, em: EntityManager): Promise<string | undefined> {
    const found = await this.kernel.oneTimeKeys.claimUndo(key, em);
    if (!found) return undefined;
    const { user, email } = found;
    if (!(await this.kernel.addresses.claim(email, em, user))) return undefined;
    if (!(await this.kernel.users.restoreEmail(user, email, em))) return undefined;
    await this.kernel.accounts.recordCredentialChange(user, em);
    await this.kernel.sessions.revokeAll(user, { em, reason: 'password-change' });
    await this.kernel.oneTimeKeys.revokeAll(user, em);
    await this.kernel.signUps.voidAll(email, em);
    await this.kernel.journal.record([['email.changed', { user: String(user) }]], em);
    return this.kernel.oneTimeKeys.issue('password-reset', user, email, this.kernel.settings.passwordResetLifetime, em);
  }
}
