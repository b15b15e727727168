import { type EntityManager, UniqueConstraintViolationException } from '@mikro-orm/postgresql';
import type { Database } from '../database/database.js';
import { ErrorCode, JwtAllauthError } from '../error.js';
import type { Journal } from '../observability/journal.js';
import type { Telemetry } from '../observability/telemetry.js';
import type { SessionClient } from '../sessions/client-device.js';
import type { SessionService } from '../sessions/session.service.js';
import type { Tokens } from '../tokens/tokens.js';
import type { BaseUser } from '../users/base-user.entity.js';
import { normalizeEmail } from '../users/email.js';
import type { PasswordHasher } from '../users/password-hasher.service.js';
import { assertPasswordAllowed } from '../users/password-rules.js';
import { Role } from '../users/role.js';
import type { UserService } from '../users/user.service.js';

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
    private readonly sessions: SessionService,
    private readonly journal: Journal,
    private readonly telemetry: Telemetry,
  ) {}

  /**
   * Makes the user and opens the first session, both or neither.
   *
   * @throws validation_failed, email_already_registered, service_unavailable
   */
  async register(registration: Registration): Promise<Tokens> {
    return this.telemetry.measure('register', () => this.#register(registration));
  }

  async #register(registration: Registration): Promise<Tokens> {
    const { email, password } = registration;
    assertPasswordAllowed('password', password, email);
    const passwordHash = await this.hasher.hash(password);
    try {
      return await this.database.transaction(async (em) => {
        const user = this.createUser(em, { ...registration, passwordHash });
        await em.persist(user).flush();
        await this.journal.record([['user.registered', { user: String(user.id) }]], em);
        return this.sessions.open(user, { em, client: registration });
      });
    } catch (error) {
      // An app's user can have other unique columns; only a taken address is ours to explain.
      const isDuplicate = error instanceof UniqueConstraintViolationException;
      if (!isDuplicate || !(await this.users.findByEmail(email))) throw error;
      throw new JwtAllauthError(ErrorCode.EmailAlreadyRegistered, 409, 'There is an account with this e-mail address.');
    }
  }

  /** The entity of a new user; an app overrides this to fill columns of its own, or to clear `emailVerified`. */
  protected createUser(em: EntityManager, registration: Registration & { passwordHash: string }): BaseUser {
    return em.create(this.users.entity, {
      email: normalizeEmail(registration.email),
      passwordHash: registration.passwordHash,
      firstName: registration.firstName ?? '',
      lastName: registration.lastName ?? '',
      role: Role.USER,
      isActive: true,
      emailVerified: true, // no mail is sent: an address counts as confirmed from sign-up
    } as never) as BaseUser;
  }
}
