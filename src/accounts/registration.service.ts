import { setTimeout } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import { isUniqueViolation } from '../database/constraint-violation.js';
import type { Database } from '../database/database.js';
import { emailAlreadyRegistered } from '../error.js';
import type { Journal } from '../observability/journal.js';
import type { Telemetry } from '../observability/telemetry.js';
import type { SessionClient } from '../sessions/client-device.js';
import type { SessionService } from '../sessions/session.service.js';
import type { Settings } from '../settings/settings.js';
import type { Tokens } from '../tokens/tokens.js';
import type { BaseUser } from '../users/base-user.entity.js';
import { normalizeEmail } from '../users/email.js';
import type { PasswordHasher } from '../users/password-hasher.service.js';
import type { PasswordRules } from '../users/password-rules.js';
import { Role } from '../users/role.js';
import type { UserService } from '../users/user.service.js';
import type { AbandonedSignUps } from './abandoned-sign-ups.js';
import type { AccountMails } from './account-mails.js';
import type { MailLimiter } from './mail-limiter.service.js';
import type { SignUpBrowsers } from './sign-up-browsers.js';

/**
 * Milliseconds after which a sign-up is answered that must not tell whether the address is taken: to write down a new user
 * takes one or two more than a notice, and both are done long before.
 */
const ALIKE = 100;

/** What somebody who signs up gives. */
export interface Registration extends SessionClient {
  readonly email: string;
  readonly password: string;
  readonly firstName?: string;
  readonly lastName?: string;
}

/** What a sign-up brought. */
export interface SignUp {
  /** The first session; undefined where the address has to be confirmed first. */
  readonly tokens?: Tokens;
  /** What the browser shall keep until the link is opened; undefined with `tokens`. */
  readonly mark?: string;
}

/** Signs new users up. */
export class RegistrationService {
  constructor(
    private readonly database: Database,
    private readonly users: UserService,
    private readonly hasher: PasswordHasher,
    private readonly abandoned: AbandonedSignUps,
    private readonly browsers: SignUpBrowsers,
    private readonly limiter: MailLimiter,
    private readonly mails: AccountMails,
    private readonly sessions: SessionService,
    private readonly journal: Journal,
    private readonly settings: Settings,
    private readonly telemetry: Telemetry,
    private readonly rules: PasswordRules,
  ) {}

  /**
   * Makes the user and opens the first session, both or neither. Where EMAIL_VERIFICATION is `mandatory` there is no session
   * yet: a link is mailed, or, for an address that is taken, a notice to its owner; the caller cannot tell.
   *
   * @throws validation_failed, email_already_registered, too_many_requests, service_unavailable
   */
  async register(registration: Registration): Promise<SignUp> {
    return this.telemetry.measure('register', () => this.#register(registration));
  }

  async #register(registration: Registration): Promise<SignUp> {
    const { email, password } = registration;
    const { emailVerification, preventEnumeration } = this.settings;
    this.rules.assertAllowed('password', password, registration);
    if (emailVerification !== 'none') await this.limiter.countMail('registration', email, registration);
    const passwordHash = await this.hasher.hash(password);
    const created = this.#createOrTell({ ...registration, passwordHash });
    if (emailVerification !== 'mandatory' || !preventEnumeration) return created;
    const [signUp] = await Promise.all([created, setTimeout(ALIKE)]);
    return signUp;
  }

  async #createOrTell(registration: Registration & { passwordHash: string }): Promise<SignUp> {
    const create = (isRetry: boolean) => this.database.transaction((em) => this.#create(registration, isRetry, em));
    try {
      return await create(false);
    } catch (error) {
      // An app's user can have other unique columns; only a taken address is ours to explain.
      if (!isUniqueViolation(error) || !(await this.users.findByEmail(registration.email))) throw error;
      return create(true); // whoever has the address can be seen now
    }
  }

  async #create(
    registration: Registration & { passwordHash: string },
    isRetry: boolean,
    em: EntityManager,
  ): Promise<SignUp> {
    const { emailVerification } = this.settings;
    const isMandatory = emailVerification === 'mandatory';
    // Elsewhere the insert itself finds out, and nearly every address is free.
    const isTaken = (isMandatory || isRetry) && (await this.#isTaken(registration.email, em));
    const mark = this.browsers.mark(registration.passwordHash);
    if (isTaken) return { mark };
    const user = this.createUser(em, registration);
    await em.persist(user).flush();
    await this.journal.record([['user.registered', { user: String(user.id) }]], em);
    if (isMandatory) {
      await this.mails.sendLink('registration', user.id, user.email, em);
      return { mark };
    }
    if (emailVerification === 'optional') await this.mails.sendLink('email-verification', user.id, user.email, em);
    // The session reads the user anew, without the lazy hash. Were it still managed, the hash would be written once more.
    em.clear();
    return { tokens: await this.sessions.open(user, { em, client: registration }) };
  }

  /**
   * Frees an abandoned address. Whether it is still somebody's, who then is told of the try.
   *
   * @throws email_already_registered if that may be known
   */
  async #isTaken(email: string, em: EntityManager): Promise<boolean> {
    const { emailVerification, preventEnumeration } = this.settings;
    await this.abandoned.remove(email, em);
    const owner = await this.users.findByEmail(email, em);
    if (!owner) return false;
    if (emailVerification !== 'mandatory' || !preventEnumeration) throw emailAlreadyRegistered();
    if (owner.isActive) await this.mails.sendNotice('account-exists', owner.email, em);
    return true;
  }

  /** The entity of a new user; an app overrides this to fill columns of its own. */
  protected createUser(em: EntityManager, registration: Registration & { passwordHash: string }): BaseUser {
    return em.create(this.users.entity, {
      email: normalizeEmail(registration.email),
      passwordHash: registration.passwordHash,
      firstName: registration.firstName ?? '',
      lastName: registration.lastName ?? '',
      role: Role.USER,
      isActive: true,
      emailVerified: this.settings.emailVerification === 'none', // then no mail is sent to confirm it
    } as never) as BaseUser;
  }
}
