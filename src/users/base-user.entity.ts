import { Property } from '@mikro-orm/decorators/legacy';
import { EmailType } from './email.js';
import { Role } from './role.js';

/** The value of a user's primary key. */
export type UserId = string | number | bigint;

/**
 * The base class of the app's user entity. The app's class adds a primary key named `id` (integer, bigint or uuid) and
 * the app's own properties. `BaseUser` itself is not an entity and has no table.
 */
export abstract class BaseUser {
  abstract id: UserId;

  /** The e-mail address: unique, stored in lower case and normalised (`normalizeEmail`). */
  @Property({ type: EmailType, unique: true })
  email!: string;

  /**
   * The hash of the password: argon2id in the PHC string format, or a hash of an older system that `legacyPasswords`
   * verifies. Null: the user cannot sign in with a password. MikroORM loads the hash only if a query asks for it
   * (`lazy`), and never serializes it (`hidden`).
   */
  @Property({ type: 'text', nullable: true, lazy: true, hidden: true })
  passwordHash?: string | null;

  @Property({ type: 'string', length: 150, default: '' })
  firstName: string = '';

  @Property({ type: 'string', length: 150, default: '' })
  lastName: string = '';

  /** One of `Role`, or a number that the app defines. */
  @Property({ type: 'integer', default: Role.USER })
  role: number = Role.USER;

  /** False: the user cannot sign in, and existing sessions end at their next refresh. */
  @Property({ type: 'boolean', default: true })
  isActive: boolean = true;

  /** Whether the address is confirmed. If EMAIL_VERIFICATION is `none`, a sign-up sets it to true. */
  @Property({ type: 'boolean', default: false })
  emailVerified: boolean = false;
}
