import type { EntityManager } from '@mikro-orm/postgresql';
import type { AuthKernel } from '../../kernel.js';
import type { MailedReset } from '../../sign-in/sign-in-method.js';
import type { TokenClaims } from '../../tokens/claims.js';
import type { UserId } from '../../users/base-user.entity.js';
import type { PasswordOwner } from '../../users/user.service.js';
import { isUuid } from '../../users/user-key.js';
import type { InconsistentUsers, PasskeyConsistency, PasskeysOfDomain } from './passkey-consistency.js';
import { passkeyError } from './passkey-errors.js';
import type { PasskeyRemoved } from './passkey-events.js';
import type { Passkey, PasskeyStore, StoredPasskey } from './passkey-store.js';
import type { PASSKEY_MAILS } from './passkeys.mails.js';

/** The passkeys of users: their list, their names and their removal. `auth.passkeys` is this service. */
export class PasskeysService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      | 'database'
      | 'users'
      | 'accounts'
      | 'sessions'
      | 'sessionEndings'
      | 'oneTimeKeys'
      | 'secondFactors'
      | 'signInMethods'
      | 'freshness'
      | 'mails'
      | 'journal'
    > & { readonly passkeyStore: PasskeyStore; readonly passkeyConsistency: PasskeyConsistency },
  ) {}

  /** The passkeys of a user, oldest first. */
  async list(user: UserId): Promise<Passkey[]> {
    return this.kernel.passkeyStore.list(user);
  }

  /** Like `list`, for the caller's user. @throws token_not_valid if the caller's session has ended */
  async listFor(claims: TokenClaims): Promise<Passkey[]> {
    await this.kernel.sessions.assertLive(claims);
    return this.list(this.kernel.users.keyOf(claims.sub));
  }

  /**
   * Renames a passkey of the caller's user.
   *
   * @throws passkey_not_found; token_not_valid if the caller's session has ended
   */
  async rename(claims: TokenClaims, id: string, name: string): Promise<Passkey> {
    const { sessions, users, passkeyStore } = this.kernel;
    await sessions.assertLive(claims);
    const renamed = isUuid(id) ? await passkeyStore.rename(users.keyOf(claims.sub), id, name) : undefined;
    if (!renamed) throw passkeyError('passkey_not_found');
    return renamed;
  }

  /**
   * Removes a passkey of the caller's user.
   *
   * @param claims the claims of the caller's access token
   * @throws passkey_not_found, last_sign_in_method, reauthentication_required, second_factor_required, token_not_valid
   * @throws second_factor_required_by_policy if every user must have a second factor, and this is the last one
   */
  async remove(claims: TokenClaims, id: string): Promise<void> {
    const { database, users, sessionEndings, freshness, signInMethods, passkeyStore } = this.kernel;
    const user = users.keyOf(claims.sub);
    await database.transaction(async (em) => {
      await sessionEndings.lockUser(user, em);
      await freshness.assert(claims, em);
      const removed = isUuid(id) ? await passkeyStore.remove(user, id, em) : undefined;
      if (!removed) throw passkeyError('passkey_not_found');
      await this.#recordRemoval(user, [id], 'user', em);
      if (removed.isDisabled) return; // it was neither a way to sign in nor a second factor
      await signInMethods.assertOneLeft(user, em);
      await this.#assertFactorLeft(user, em);
    });
  }

  /** @throws second_factor_required_by_policy */
  async #assertFactorLeft(user: UserId, em: EntityManager): Promise<void> {
    const { sessions, secondFactors } = this.kernel;
    const { secondFactors: owned } = await sessions.ownerOf(user, em);
    // A passkey alone is asked for only if every user must have a second factor.
    if (owned.length === 0 && secondFactors.isAskedOf(['passkey'])) throw passkeyError('passkey_required_by_policy');
  }

  /**
   * Removes the passkeys that were added at a time or later, when the owner of the mailbox takes the account back. Call
   * it in a transaction that has locked the user's row.
   */
  async removeSince(user: UserId, since: Date, em: EntityManager): Promise<void> {
    await this.#recordRemoval(user, await this.kernel.passkeyStore.removeSince(user, since, em), 'mailbox-owner', em);
  }

  /**
   * Removes the passkeys that were added before the present address was proved, when the user sets a new password by
   * mail or undoes a change of the address: a stranger may have signed up with the address, or changed to it. The
   * others stay, because a forgotten password is no reason to lose passkeys. A mail says so when the password is set.
   * All stay if every user must have a second factor, because access to the mailbox alone must not remove it. Call it
   * in a transaction that has locked the user's row.
   */
  async removeAtReset(user: UserId, em: EntityManager, { isPasswordSet }: MailedReset): Promise<void> {
    const { passkeyStore, secondFactors, users } = this.kernel;
    const isFactor = secondFactors.isAskedOf(['passkey']);
    const account = isFactor ? undefined : await users.findById(user, em);
    const removed = account ? await passkeyStore.removeUnproved(user, account.email, em) : [];
    await this.#recordRemoval(user, removed, 'mailbox-owner', em);
    if (isPasswordSet && (await passkeyStore.countUsable(user, em)) > 0) await this.#notify('passkeys-kept', user, em);
  }

  /**
   * Removes all passkeys of a user who has lost them, and ends all sessions of the user. For an operator: check first
   * that the request comes from the user.
   *
   * @returns false if the user has none
   */
  async reset(user: UserId): Promise<boolean> {
    const { database, accounts, sessions, sessionEndings, passkeyStore } = this.kernel;
    return database.transaction(async (em) => {
      await sessionEndings.lockUser(user, em);
      const removed = await passkeyStore.removeSince(user, new Date(0), em);
      const hadFactor = (await accounts.secondFactorsOf(user, em)).includes('passkey');
      if (removed.length > 0) await this.#recordRemoval(user, removed, 'operator', em);
      else if (hadFactor) await this.#recordChange(user, em);
      else return false;
      await sessions.revokeAll(user, { em, reason: 'factor-change' });
      return true;
    });
  }

  /** How many passkeys can be used, by the domain for which they were made (RP ID). */
  async countByDomain(): Promise<PasskeysOfDomain[]> {
    return this.kernel.passkeyConsistency.countByDomain();
  }

  /** Users whose account state differs from their passkeys, because the tables were changed without the library. */
  async inconsistentUsers(): Promise<InconsistentUsers> {
    return this.kernel.passkeyConsistency.inconsistentUsers();
  }

  /**
   * Disables a passkey whose counter has not grown: there may be a copy of it.
   *
   * @returns false if it was removed or disabled meanwhile
   */
  async disable(passkey: StoredPasskey, counter: number): Promise<boolean> {
    const { database, sessionEndings, passkeyStore, journal } = this.kernel;
    const { user, id } = passkey;
    return database.transaction(async (em) => {
      await sessionEndings.lockUser(user, em);
      if (!(await passkeyStore.disable(passkey, counter, em))) return false;
      await this.#recordChange(user, em);
      await journal.record([['passkey.disabled', { user: String(user), passkey: id }]], em);
      await this.#notify('passkey-disabled', user, em);
      return true;
    });
  }

  /** Whether a user can sign in with a passkey. */
  async isUsableBy({ id }: PasswordOwner, em: EntityManager): Promise<boolean> {
    return (await this.kernel.passkeyStore.countUsable(id, em)) > 0;
  }

  async #recordRemoval(
    user: UserId,
    ids: readonly string[],
    by: PasskeyRemoved['by'],
    em: EntityManager,
  ): Promise<void> {
    if (ids.length === 0) return;
    await this.#recordChange(user, em);
    const about = { user: String(user), by };
    await this.kernel.journal.record(
      ids.map((passkey) => ['passkey.removed', { ...about, passkey }] as const),
      em,
    );
    await this.#notify('passkey-removed', user, em);
  }

  /** Records a change of the credentials, and whether a passkey is left. Voids mailed links. */
  async #recordChange(user: UserId, em: EntityManager): Promise<void> {
    const { passkeyStore, accounts, oneTimeKeys } = this.kernel;
    await accounts.setSecondFactor(user, 'passkey', (await passkeyStore.countUsable(user, em)) > 0, em);
    await oneTimeKeys.revokeAll(user, em);
  }

  async #notify(name: keyof typeof PASSKEY_MAILS, user: UserId, em: EntityManager): Promise<void> {
    const account = await this.kernel.users.findById(user, em);
    if (account) await this.kernel.mails.sendNotice(name, account.email, em);
  }
}
