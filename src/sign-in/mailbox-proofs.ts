import type { EntityManager } from '@mikro-orm/postgresql';
import { authError } from '../error-table.js';
import type { Journal } from '../observability/journal.js';
import type { SessionService } from '../sessions/session.service.js';
import type { OneTimeKeys } from '../tokens/one-time-keys.js';
import type { Accounts } from '../users/accounts.js';
import type { PendingSignUps } from '../users/pending-sign-ups.js';
import type { PasswordOwner, UserService } from '../users/user.service.js';
import type { SignInMethods } from './sign-in-methods.js';

/** Gives an account to the first person who proves access to its mailbox. */
export class MailboxProofs {
  constructor(
    protected readonly kernel: {
      readonly users: UserService;
      readonly accounts: Accounts;
      readonly sessions: SessionService;
      readonly oneTimeKeys: OneTimeKeys;
      readonly signUps: PendingSignUps;
      readonly signInMethods: SignInMethods;
      readonly journal: Journal;
    },
  ) {}

  /**
   * Confirms the address of a user. Password, sessions, mailed links, second factors and other methods to sign in are
   * removed, because a stranger may have signed up with the address. Does nothing if the address is confirmed.
   *
   * @param user the current state of the user
   * @param em a transaction that has locked the user's row
   * @returns the state of the user afterwards
   * @throws no_active_account
   */
  async accept(user: PasswordOwner, em: EntityManager): Promise<PasswordOwner> {
    if (user.emailVerified) return user;
    const { id, email } = user;
    const { users, accounts, sessions, oneTimeKeys, signUps, signInMethods, journal } = this.kernel;
    await signInMethods.removeUnproved(id, em);
    if (!(await users.restoreEmail(id, email, em))) throw authError('no_active_account');
    await accounts.recordCredentialChange(id, em);
    await sessions.revokeAll(id, { em, reason: 'password-change' });
    await oneTimeKeys.revokeAll(id, em);
    await signUps.invalidateAll(email, em);
    await journal.record([['email.verified', { user: String(id) }]], em);
    return { ...user, emailVerified: true, passwordHash: null, credentialEpoch: undefined };
  }
}
