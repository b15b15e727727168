import type { EntityManager } from '@mikro-orm/postgresql';
import type { UserId } from '../users/base-user.entity.js';
import type { PasswordOwner } from '../users/user.service.js';

/** A method to sign in, which the library or a module has (`ModuleParts.signInMethods`). */
export interface SignInMethod {
  /** Its name, such as `password`, `mail` or `provider`. */
  readonly name: string;
  /** The routes that it needs (`AuthModule.routes`). If the app switches them off, the method does not count. */
  readonly route?: string;
  /** Whether a user can sign in with it now. Read in the transaction of `em`, which has locked the user's row. */
  isUsableBy(user: PasswordOwner, em: EntityManager): Promise<boolean>;
  /**
   * Removes what a user has set up for it, in the transaction of `em`, which has locked the user's row. Somebody had
   * signed up with a foreign address; the owner of the mailbox now takes the account back.
   */
  removeUnproved?(user: UserId, em: EntityManager): Promise<void>;
  /**
   * Like `removeUnproved`, but removes only what was set up at a time or later. The address was changed then, and the
   * owner of the old mailbox undoes the change: a thief may have set it up. Access to the old mailbox alone must not
   * remove what is older.
   */
  removeSince?(user: UserId, since: Date, em: EntityManager): Promise<void>;
}
