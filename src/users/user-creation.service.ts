import type { EntityManager } from '@mikro-orm/postgresql';
import type { Database } from '../database/database.js';
import type { BaseUser } from './base-user.entity.js';
import { normalizeEmail } from './email.js';
import type { UserService } from './user.service.js';

/** The fields of a new user, except address and password. */
export interface NewUserFields {
  readonly firstName?: string;
  readonly lastName?: string;
  /** Values of the app's additional fields (`inputs.registration`), by property of the user. */
  readonly added?: Readonly<Record<string, unknown>>;
}

/** The data of a new user. */
export interface NewUser {
  /** The address as it was entered. It is stored in its normal form. */
  readonly email: string;
  /** Null for a user without a password. */
  readonly passwordHash: string | null;
  readonly role: number;
  readonly emailVerified: boolean;
  readonly fields: NewUserFields;
}

/** Creates users: at a sign-up, at the confirmation of a sign-up, and at an invitation. */
export class UserCreationService {
  constructor(protected readonly kernel: { readonly users: UserService; readonly database: Database }) {}

  /**
   * Inserts a user, in the transaction of `em`. The returned entity is not managed by `em`. If it were, opening a
   * session with `em` would read the user again without the lazy hash, and the next flush would write the hash again.
   *
   * @throws UniqueConstraintViolationException if another user has the address
   */
  async create(newUser: NewUser, em: EntityManager): Promise<BaseUser> {
    const user = this.createUser(em, newUser);
    await em.persist(user).flush();
    em.clear();
    return user;
  }

  /** The user that `create` would insert, without the password hash. Not managed by any EntityManager. */
  preview(newUser: NewUser): BaseUser {
    return Object.assign(this.createUser(this.kernel.database.fork(), newUser), { passwordHash: undefined });
  }

  /** Makes the entity of a new user. An app can override this to set its own properties. */
  protected createUser(em: EntityManager, { email, passwordHash, role, emailVerified, fields }: NewUser): BaseUser {
    const person = { email: normalizeEmail(email), firstName: fields.firstName ?? '', lastName: fields.lastName ?? '' };
    const account = { passwordHash, role, emailVerified, isActive: true };
    return em.create(this.kernel.users.entity, { ...fields.added, ...person, ...account } as never) as BaseUser;
  }
}
