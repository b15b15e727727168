import type { EntityManager } from '@mikro-orm/postgresql';
import { authError } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import { clientNetwork } from '../../sessions/client-network.js';
import { type BegunSignIn, type SignInDecision, tokensOf } from '../../sign-in/begun-sign-in.js';
import { requestClientOf } from '../../tokens/session-context.js';
import type { Tokens } from '../../tokens/tokens.js';
import type { BaseUser } from '../../users/base-user.entity.js';
import { normalizeEmail } from '../../users/email.js';
import { Role } from '../../users/role.js';
import type { NewUser } from '../../users/user-creation.service.js';

/** The input of a sign-up. */
export interface Registration extends SessionClient {
  readonly email: string;
  readonly password: string;
  readonly firstName?: string;
  readonly lastName?: string;
  /** Values of the fields that the app adds (`inputs.registration`), by property name. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** A sign-up with the hash instead of the password. */
type HashedRegistration = Omit<Registration, 'password'> & { readonly passwordHash: string };

/** The result of a sign-up. */
export interface SignUp {
  /** The tokens of the first session; undefined if the address has to be confirmed first. */
  readonly tokens?: Tokens;
  /**
   * The mark that identifies the browser when it requests another link. The browser keeps it until the link is opened.
   * Undefined if there are `tokens`.
   */
  readonly mark?: string;
}

/** Signs up new users. */
export class RegistrationService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      | 'userCreation'
      | 'database'
      | 'hasher'
      | 'emailOwnership'
      | 'signUps'
      | 'unconfirmedSignUps'
      | 'mailLimiter'
      | 'mails'
      | 'signIn'
      | 'hooks'
      | 'journal'
      | 'settings'
      | 'telemetry'
      | 'passwordPolicy'
      | 'signUpLimiter'
    >,
  ) {}

  /**
   * Creates the user and opens the first session, in one transaction. If EMAIL_VERIFICATION is `mandatory`, it stores a
   * pending sign-up instead and mails a link. With PREVENT_ENUMERATION, an address that has an account gets the same
   * answer, and a notice in place of the link.
   *
   * @throws validation_failed, email_already_registered, field_already_taken, too_many_requests, service_unavailable,
   * and errors of hooks
   * @throws second_factor_required if the user was created and a gate requires a second factor
   */
  async register(registration: Registration): Promise<SignUp> {
    return this.kernel.telemetry.measure('register', () => this.#register(registration));
  }

  async #register({ password, ...person }: Registration): Promise<SignUp> {
    const { email } = person;
    const { emailVerification } = this.kernel.settings;
    const isMandatory = emailVerification === 'mandatory';
    await this.kernel.passwordPolicy.assertLocalRules('password', password, person);
    // Counted before MAIL_RATE_LIMIT: a refused sign-up must not use up the limit of a mailbox.
    await this.kernel.signUpLimiter.count(person);
    await this.kernel.passwordPolicy.assertRemoteRules('password', password, person);
    await this.#callHook(person);
    if (emailVerification !== 'none')
      await this.kernel.mailLimiter.countMail('registration', email, person, { isNetworkFirst: true });
    const work = { network: clientNetwork(person.ip), isSignUp: true };
    const salt = isMandatory ? this.kernel.signUps.saltFor(email) : undefined;
    const passwordHash = await this.kernel.hasher.hash(password, { ...work, salt });
    if (!isMandatory) return this.#createUser({ ...person, passwordHash });
    const { firstName, lastName, fields: added, ...client } = person;
    const signUp = { email, passwordHash, fields: { firstName, lastName, added } };
    return { mark: await this.kernel.unconfirmedSignUps.add(signUp, client) };
  }

  async #callHook({ email, firstName, lastName, fields, ...client }: Omit<Registration, 'password'>): Promise<void> {
    const user = { ...fields, email: normalizeEmail(email), firstName, lastName };
    await this.kernel.hooks.beforeSignUp?.({ user, client: requestClientOf(client) ?? {} });
  }

  async #createUser(newUser: HashedRegistration): Promise<SignUp> {
    const { email, passwordHash, firstName, lastName, fields, ...client } = newUser;
    const user = this.#userOf({ email, passwordHash, firstName, lastName, fields });
    const signIn = await this.kernel.signIn.beginSignUp({ amr: ['pwd'], client }, () =>
      this.kernel.userCreation.preview(user),
    );
    return { tokens: tokensOf(await this.#createOnce(newUser, signIn)) };
  }

  async #createOnce(newUser: HashedRegistration, signIn: BegunSignIn): Promise<SignInDecision> {
    const create = () =>
      this.kernel.database.transaction(async (em) => {
        const user = await this.#create(newUser, em);
        return signIn.decide(user, em);
      });
    const { email, firstName, lastName, fields } = newUser;
    return this.kernel.emailOwnership.insert(email, { firstName, lastName, ...fields }, create);
  }

  async #create(newUser: HashedRegistration, em: EntityManager): Promise<BaseUser> {
    if (!(await this.kernel.emailOwnership.claim(newUser.email, em))) throw authError('email_already_registered');
    const user = await this.kernel.userCreation.create(this.#userOf(newUser), em);
    await this.kernel.journal.record([['user.registered', { user: String(user.id), method: 'password' }]], em);
    if (this.kernel.settings.emailVerification === 'optional')
      await this.kernel.mails.sendLink('email-verification', user.id, user.email, em, newUser);
    return user;
  }

  #userOf({ email, passwordHash, firstName, lastName, fields: added }: HashedRegistration): NewUser {
    const emailVerified = this.kernel.settings.emailVerification === 'none'; // no mail will confirm it then
    return { email, passwordHash, role: Role.USER, emailVerified, fields: { firstName, lastName, added } };
  }
}
