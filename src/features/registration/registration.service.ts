import { setTimeout } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import { isUniqueViolation } from '../../database/constraint-violation.js';
import { authError } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import { createMailedKey } from '../../secrets/mailed-key.js';
import type { SessionClient } from '../../sessions/client-device.js';
import { clientNetwork } from '../../sessions/client-network.js';
import { type BegunSignIn, type SignInDecision, tokensOf } from '../../sign-in/begun-sign-in.js';
import { requestClientOf } from '../../tokens/session-context.js';
import type { Tokens } from '../../tokens/tokens.js';
import type { BaseUser } from '../../users/base-user.entity.js';
import { normalizeEmail } from '../../users/email.js';
import { Role } from '../../users/role.js';
import type { NewUser } from '../../users/user-creation.service.js';
import type { SignUpLimiter } from './sign-up-limiter.js';

/**
 * Milliseconds after which a sign-up is answered that must not tell whether the address is taken: to write down a new
 * user takes one or two more than a notice, and both are done long before.
 */
const ALIKE_MS = 100;

/** What somebody who signs up gives. */
export interface Registration extends SessionClient {
  readonly email: string;
  readonly password: string;
  readonly firstName?: string;
  readonly lastName?: string;
  /** Values of the fields that the app adds (`inputs.registration`), by property of the user. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** What a user is made of: a sign-up, with the hash in place of the password. */
type HashedRegistration = Omit<Registration, 'password'> & { readonly passwordHash: string };

/** What a sign-up brought. */
export interface SignUp {
  /** The first session; undefined where the address has to be confirmed first. */
  readonly tokens?: Tokens;
  /**
   * The mark by which the browser is known when it asks for another link; it keeps the mark until the link is opened.
   * Undefined with `tokens`.
   */
  readonly mark?: string;
}

/** Signs new users up. */
export class RegistrationService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      | 'userCreation'
      | 'database'
      | 'users'
      | 'hasher'
      | 'addresses'
      | 'signUps'
      | 'signUpBrowsers'
      | 'mailLimiter'
      | 'mails'
      | 'signIn'
      | 'hooks'
      | 'journal'
      | 'settings'
      | 'telemetry'
      | 'passwordPolicy'
    > & { readonly signUpLimiter: SignUpLimiter },
  ) {}

  /**
   * Makes the user and opens the first session, both or neither. Where EMAIL_VERIFICATION is `mandatory` there is no
   * user yet, but a sign-up that waits: a link is mailed, or, for an address that is taken, a notice to its owner; the
   * caller cannot tell.
   *
   * @throws validation_failed, email_already_registered, too_many_requests, service_unavailable, what a hook throws;
   * second_factor_required where the user is made and a gate asks for one
   */
  async register(registration: Registration): Promise<SignUp> {
    return this.kernel.telemetry.measure('register', () => this.#register(registration));
  }

  async #register({ password, ...person }: Registration): Promise<SignUp> {
    const { email } = person;
    const { emailVerification, preventEnumeration } = this.kernel.settings;
    const isMandatory = emailVerification === 'mandatory';
    await this.kernel.passwordPolicy.assertAllowed('password', password, person);
    // Before MAIL_RATE_LIMIT: what is refused must not use up that of a mailbox.
    await this.kernel.signUpLimiter.count(person);
    await this.#askHook(person);
    if (emailVerification !== 'none') await this.kernel.mailLimiter.countMail('registration', email, person);
    const work = { network: clientNetwork(person.ip), isSignUp: true };
    const salt = isMandatory ? this.kernel.signUps.saltFor(email) : undefined;
    const passwordHash = await this.kernel.hasher.hash(password, { ...work, salt });
    const newUser = { ...person, passwordHash };
    if (!isMandatory) return this.#createUser(newUser);
    const waiting = this.kernel.database.transaction((em) => this.#wait(newUser, em));
    if (!preventEnumeration) return waiting;
    const [signUp] = await Promise.all([waiting, setTimeout(ALIKE_MS)]);
    return signUp;
  }

  async #askHook({ email, firstName, lastName, fields, ...client }: Omit<Registration, 'password'>): Promise<void> {
    const user = { ...fields, email: normalizeEmail(email), firstName, lastName };
    await this.kernel.hooks.beforeSignUp?.({ user, client: requestClientOf(client) ?? {} });
  }

  /** Stores a sign-up that waits. @throws email_already_registered if that may be known */
  async #wait(newUser: HashedRegistration, em: EntityManager): Promise<SignUp> {
    const { email, passwordHash, firstName, lastName, fields } = newUser;
    await this.kernel.addresses.lock(email, em);
    const isTaken = await this.kernel.addresses.isTaken(email, em);
    if (isTaken && !this.kernel.settings.preventEnumeration) throw authError('email_already_registered');
    const key = isTaken ? undefined : createMailedKey();
    const origin = this.kernel.mails.originOf(newUser);
    const person = { email, passwordHash, fields: { firstName, lastName, added: fields } };
    const id = await this.kernel.signUps.add(person, origin, key, em);
    if (key) await this.kernel.mails.sendSignUpLink(key, normalizeEmail(email), origin, em);
    else await this.#notifyOwner(email, em);
    return { mark: this.kernel.signUpBrowsers.mark(id) };
  }

  async #notifyOwner(email: string, em: EntityManager): Promise<void> {
    const owner = await this.kernel.users.findByEmail(email, em);
    if (owner?.isActive) await this.kernel.mails.sendNotice('account-exists', owner.email, em);
  }

  async #createUser(newUser: HashedRegistration): Promise<SignUp> {
    const { ip, userAgent, host, replaces } = newUser;
    const client = { ip, userAgent, host, replaces };
    const signIn = await this.kernel.signIn.beginSignUp({ amr: ['pwd'], client }, () =>
      this.kernel.userCreation.preview(this.#userOf(newUser)),
    );
    return { tokens: tokensOf(await this.#createOnce(newUser, signIn)) };
  }

  async #createOnce(newUser: HashedRegistration, signIn: BegunSignIn): Promise<SignInDecision> {
    const create = (isRetry: boolean) =>
      this.kernel.database.transaction(async (em) => {
        const user = await this.#create(newUser, isRetry, em);
        return signIn.decide(user, em);
      });
    try {
      return await create(false);
    } catch (error) {
      // An app's user can have other unique columns; only a taken address is ours to explain.
      if (!isUniqueViolation(error) || !(await this.kernel.users.findByEmail(newUser.email))) throw error;
      return create(true); // the user who has the address can be seen now
    }
  }

  async #create(newUser: HashedRegistration, isRetry: boolean, em: EntityManager): Promise<BaseUser> {
    // The insert itself finds out whether the address is taken, and nearly every one is free.
    if (isRetry && !(await this.kernel.addresses.claim(newUser.email, em))) throw authError('email_already_registered');
    // Only where mails are sent can there be a link that brings the address back to somebody.
    if (this.kernel.mails.isOn && (await this.kernel.addresses.isHeld(newUser.email, em)))
      throw authError('email_already_registered');
    const user = await this.kernel.userCreation.create(this.#userOf(newUser), em);
    await this.kernel.journal.record([['user.registered', { user: String(user.id) }]], em);
    if (this.kernel.settings.emailVerification === 'optional')
      await this.kernel.mails.sendLink('email-verification', user.id, user.email, em, newUser);
    return user;
  }

  #userOf({ email, passwordHash, firstName, lastName, fields: added }: HashedRegistration): NewUser {
    const emailVerified = this.kernel.settings.emailVerification === 'none'; // then no mail is sent to confirm it
    return { email, passwordHash, role: Role.USER, emailVerified, fields: { firstName, lastName, added } };
  }
}
