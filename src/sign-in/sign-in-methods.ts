import type { EntityManager } from '@mikro-orm/postgresql';
import { authError } from '../error-table.js';
import type { UserId } from '../users/base-user.entity.js';
import type { UserService } from '../users/user.service.js';
import type { TakenBack } from './second-factor.js';
import type { SecondFactors } from './second-factors.js';
import type { MailedReset, SignInMethod } from './sign-in-method.js';

/** The methods to sign in of an app. The password is one of them; modules add others. */
export class SignInMethods {
  readonly #methods: SignInMethod[] = [
    { name: 'password', isUsableBy: async ({ passwordHash }) => typeof passwordHash === 'string' },
  ];

  constructor(protected readonly kernel: { readonly users: UserService; readonly secondFactors: SecondFactors }) {}

  /** Adds a method. Call it only during start-up. */
  add(method: SignInMethod): void {
    this.#methods.push(method);
  }

  /**
   * Checks that a user can still sign in. Call it after the removal of a method, in its transaction, which must have
   * locked the user's row.
   *
   * @throws last_sign_in_method
   */
  async assertOneLeft(user: UserId, em: EntityManager): Promise<void> {
    const account = await this.kernel.users.findById(user, em);
    for (const method of account ? this.#methods : []) {
      if (account && (await method.isUsableBy(account, em))) return;
    }
    throw authError('last_sign_in_method');
  }

  /**
   * Removes the second factors and the added methods of a user when the address is proved for the first time: a
   * stranger may have set them up. Does nothing for a confirmed address. Call it in a transaction that has locked the
   * user's row.
   */
  async removeUnproved(user: UserId, em: EntityManager): Promise<void> {
    if (!this.kernel.secondFactors.isInUse && !this.#methods.some(({ removeSince }) => removeSince)) return;
    const account = await this.kernel.users.findById(user, em);
    if (account && !account.emailVerified)
      await this.removeSince(user, { since: new Date(0), hadSecondFactor: false }, em);
  }

  /**
   * Removes the methods that a password reset replaces (`SignInMethod.removeAtReset`), and what `removeUnproved`
   * removes. The second factors of a confirmed address stay: access to the mailbox alone must not remove them. Call it
   * in a transaction that has locked the user's row.
   */
  async removeAtReset(user: UserId, em: EntityManager, reset: MailedReset): Promise<void> {
    await this.removeUnproved(user, em);
    for (const method of this.#methods) await method.removeAtReset?.(user, em, reset);
  }

  /**
   * Removes the second factors and the added methods that were set up at a time or later, such as since a change of the
   * address that the owner of the old mailbox undoes. Call it in a transaction that has locked the user's row.
   */
  async removeSince(user: UserId, takenBack: TakenBack, em: EntityManager): Promise<void> {
    await this.kernel.secondFactors.removeSince(user, takenBack, em);
    for (const method of this.#methods) await method.removeSince?.(user, takenBack.since, em);
  }
}
