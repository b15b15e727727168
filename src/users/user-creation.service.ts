import type { EntityManager } from '@mikro-orm/postgresql';
import type { Database } from '../database/database.js';
import type { BaseUser } from './base-user.entity.js';
import { normalizeEmail } from './email.js';
import type { UserService } from './user.service.js';

/** What was given about a new user beside address and password. */
export interface NewUserFields {
  readonly firstName?: string;
  readonly lastName?: string;
  /** Values of the fields that the app adds (`inputs.registration`), by property of the user. */
  readonly added?: Readonly<Record<string, unknown>>;
}

/** What a new user is made from. */
export interface NewUser {
  /** As it was given. It is stored in its normal form. */
  readonly email: string;
  /** Null for a user who has no password yet. */
  readonly passwordHash: string | null;
  readonly role: number;
  readonly emailVerified: boolean;
  readonly fields: NewUserFields;
}

/** Makes users: at a sign-up, when a sign-up is confirmed, and at an invitation. */
export class UserCreationService {
  constructor(protected readonly kernel: { readonly users: UserService; readonly database: Database }) {}

  /**
   * Inserts a user, in the transaction of `em`. The user that is returned is not managed by `em`: a session reads the
   * user again, without the lazy hash, which a managed one would write once more.
   *
   * @throws UniqueConstraintViolationException when somebody has the address
   */
  async create(newUser: NewUser, em: EntityManager): Promise<BaseUser> {
    const user = this.createUser(em, newUser);
    await em.persist(user).flush();
    em.clear();
    return user;
  }

  /** The user that would be inserted, without the password hash and not managed by anything. */
  preview(newUser: NewUser): BaseUser {
    return Object.assign(this.createUser(this.kernel.database.fork(), newUser), { passwordHash: undefined });
  }

  /** The entity of a new user. An app overrides this to fill columns of its own. */
  protected createUser(em: EntityManager, { email, passwordHash, role, emailVerified, fields }: NewUser): BaseUser {
    const person = { email: normalizeEmail(email), firstName: fields.firstName ?? '', lastName: fields.lastName ?? '' };
    const account = { passwordHash, role, emailVerified, isActive: true };
    return em.create(this.kernel.users.entity, { ...fields.added, ...person, ...account } as never) as BaseUser;
  }
}
