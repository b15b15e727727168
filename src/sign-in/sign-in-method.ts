import type { EntityManager } from '@mikro-orm/postgresql';
import type { UserId } from '../users/base-user.entity.js';
import type { PasswordOwner } from '../users/user.service.js';

/** Why `SignInMethod.removeAtReset` is called. */
export interface MailedReset {
  /** True: the same transaction sets the new password. False: the user undoes a change of the address. */
  readonly isPasswordSet: boolean;
}

/** A method to sign in, which the library or a module has (`ModuleParts.signInMethods`). */
export interface SignInMethod {
  /** Its name, such as `password`, `mail` or `provider`. */
  readonly name: string;
  /** The routes that it needs (`AuthModule.routes`). If the app switches them off, the method does not count. */
  readonly route?: string;
  /** Whether a user can sign in with it now. Read in the transaction of `em`, which has locked the user's row. */
  isUsableBy(user: PasswordOwner, em: EntityManager): Promise<boolean>;
  /**
   * Removes what was set up for it at a time or later, because the owner of the mailbox takes the account back from a
   * stranger. What is older must stay. It is called in the transaction of `em`, which has locked the user's row.
   *
   * @param since since when a stranger could use the account. `new Date(0)`: from its sign-up on
   */
  removeSince?(user: UserId, since: Date, em: EntityManager): Promise<void>;
  /**
   * Removes what a stranger may have set up for it. It is called when the user sets a new password by mail, or undoes a
   * change of the address, after which a new password follows. The transaction of `em` has locked the user's row.
   *
   * It is also called for a confirmed address, because a mail scanner may have confirmed the sign-up of a stranger.
   */
  removeAtReset?(user: UserId, em: EntityManager, reset: MailedReset): Promise<void>;
}
