import { type EntityManager, UniqueConstraintViolationException } from '@mikro-orm/postgresql';
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
import { assertPasswordAllowed } from '../users/password-rules.js';
import { Role } from '../users/role.js';
import type { UserService } from '../users/user.service.js';
import type { AbandonedSignUps } from './abandoned-sign-ups.js';
import type { AccountMails } from './account-mails.js';
import type { MailLimiter } from './mail-limiter.service.js';

/** What somebody who signs up gives. */
export interface Registration extends SessionClient {
  readonly email: string;
  readonly password: string;
  readonly firstName?: string;
  readonly lastName?: string;
}

/** Signs new users up. */
export class RegistrationService {
  constructor(
    private readonly database: Database,
    private readonly users: UserService,
    private readonly hasher: PasswordHasher,
    private readonly abandoned: AbandonedSignUps,
    private readonly limiter: MailLimiter,
    private readonly mails: AccountMails,
    private readonly sessions: SessionService,
    private readonly journal: Journal,
    private readonly settings: Settings,
    private readonly telemetry: Telemetry,
  ) {}

  /**
   * Makes the user and opens the first session, both or neither. Where EMAIL_VERIFICATION is `mandatory` there is no session
   * yet: a link is mailed, or, for an address that is taken, a notice to its owner; the caller cannot tell.
   *
   * @returns undefined where the address has to be confirmed first
   * @throws validation_failed, email_already_registered, too_many_requests, service_unavailable
   */
  async register(registration: Registration): Promise<Tokens | undefined> {
    return this.telemetry.measure('register', () => this.#register(registration));
  }

  async #register(registration: Registration): Promise<Tokens | undefined> {
    const { email, password } = registration;
    const { emailVerification } = this.settings;
    assertPasswordAllowed('password', password, email);
    if (emailVerification !== 'none') await this.limiter.countMail(email, registration);
    const passwordHash = await this.hasher.hash(password);
    try {
      return await this.database.transaction((em) => this.#create({ ...registration, passwordHash }, em));
    } catch (error) {
      // An app's user can have other unique columns; only a taken address is ours to explain.
      const isDuplicate = error instanceof UniqueConstraintViolationException;
      if (!isDuplicate || !(await this.users.findByEmail(email))) throw error;
      if (emailVerification !== 'mandatory') throw emailAlreadyRegistered();
      // Somebody signed up with it at the same moment: now it can be seen.
      return this.database.transaction((em) => this.#create({ ...registration, passwordHash }, em));
    }
  }

  async #create(registration: Registration & { passwordHash: string }, em: EntityManager): Promise<Tokens | undefined> {
    const { emailVerification } = this.settings;
    const isMandatory = emailVerification === 'mandatory';
    if (isMandatory && (await this.#isTaken(registration.email, em))) return undefined;
    const user = this.createUser(em, registration);
    await em.persist(user).flush();
    await this.journal.record([['user.registered', { user: String(user.id) }]], em);
    if (isMandatory) {
      await this.mails.sendLink('registration', user.id, user.email, em);
      return undefined;
    }
    if (emailVerification === 'optional') await this.mails.sendLink('email-verification', user.id, user.email, em);
    return this.sessions.open(user, { em, client: registration });
  }

  /** Whether an address is somebody's, who then is told of the try. @throws email_already_registered if that may be known */
  async #isTaken(email: string, em: EntityManager): Promise<boolean> {
    await this.abandoned.remove(email, em);
    const owner = await this.users.findByEmail(email, em);
    if (!owner) return false;
    if (!this.settings.preventEnumeration) throw emailAlreadyRegistered();
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
