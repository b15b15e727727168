import type { EntityManager } from '@mikro-orm/postgresql';
import { authError } from '../error-table.js';
import type { EmailOwnership } from '../mail/email-ownership.js';
import type { Journal } from '../observability/journal.js';
import type { AuthHooks } from '../sessions/auth-hooks.js';
import type { SessionClient } from '../sessions/client-device.js';
import type { Settings } from '../settings/settings.js';
import { requestClientOf } from '../tokens/session-context.js';
import type { BaseUser } from '../users/base-user.entity.js';
import { normalizeEmail } from '../users/email.js';
import type { PendingSignUps } from '../users/pending-sign-ups.js';
import { Role } from '../users/role.js';
import type { NewUser, UserCreationService } from '../users/user-creation.service.js';
import type { BegunSignIn } from './begun-sign-in.js';
import type { SignInService } from './sign-in.service.js';
import type { SignInAttempt } from './sign-in-attempt.js';

/** A person who signs up without a password. */
export interface PasswordlessPerson {
  readonly email: string;
  readonly firstName?: string;
  readonly lastName?: string;
  /** Values of the app's own properties of the user, by property name. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /**
   * Whether the address is proved. False: the address of the new user is not confirmed, unless EMAIL_VERIFICATION is
   * `none`. Default: true.
   */
  readonly isProved?: boolean;
}

/** Signs up people without a password: with a mailed link, an account of a provider, or a passkey. */
export class PasswordlessSignUps {
  constructor(
    protected readonly kernel: {
      readonly hooks: AuthHooks;
      readonly signIn: SignInService;
      readonly userCreation: UserCreationService;
      readonly emailOwnership: EmailOwnership;
      readonly signUps: PendingSignUps;
      readonly journal: Journal;
      readonly settings: Settings;
    },
  ) {}

  /** Whether people may sign up. If not, only invitations create users (ADMIN_MANAGED_REGISTRATION). */
  get isOpen(): boolean {
    return !this.kernel.settings.adminManagedRegistration;
  }

  /**
   * The first half of a sign-up, outside of a transaction: calls the app's hooks. Then `create` inserts the user and
   * `decide` of the result opens the session, in one transaction.
   *
   * @throws what the hooks throw
   */
  async begin(person: PasswordlessPerson, attempt: Omit<SignInAttempt, 'user' | 'em'>): Promise<BegunSignIn> {
    await this.callHook(person, attempt.client);
    return this.kernel.signIn.beginSignUp(attempt, () => this.kernel.userCreation.preview(this.#newUserOf(person)));
  }

  /** Calls the app's `beforeSignUp`, outside of a transaction. @throws what the hook throws */
  async callHook({ email, firstName, lastName, fields }: PasswordlessPerson, client?: SessionClient): Promise<void> {
    const user = { ...fields, email: normalizeEmail(email), firstName, lastName };
    await this.kernel.hooks.beforeSignUp?.({ user, client: requestClientOf(client) ?? {} });
  }

  /**
   * Inserts the user, in the transaction of `em`. If the address is proved, voids its unconfirmed sign-ups.
   *
   * @param method how the person signed up, for the event, such as `magic-link`
   * @throws email_already_registered if the address is taken (`EmailOwnership`)
   */
  async create(person: PasswordlessPerson, method: string, em: EntityManager): Promise<BaseUser> {
    const { emailOwnership, signUps, userCreation, journal } = this.kernel;
    if (!(await emailOwnership.claim(person.email, em))) throw authError('email_already_registered');
    const isProved = person.isProved ?? true;
    if (isProved) await signUps.invalidateAll(person.email, em);
    const created = await userCreation.create(this.#newUserOf(person), em);
    const user = String(created.id);
    await journal.record([['user.registered', { user, method }]], em);
    if (isProved) await journal.record([['email.verified', { user }]], em);
    return created;
  }

  #newUserOf({ email, firstName, lastName, fields, isProved = true }: PasswordlessPerson): NewUser {
    const emailVerified = isProved || this.kernel.settings.emailVerification === 'none'; // no mail will confirm it then
    const account = { passwordHash: null, role: Role.USER, emailVerified };
    return { email, ...account, fields: { firstName, lastName, added: fields } };
  }
}
