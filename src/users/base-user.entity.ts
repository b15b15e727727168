import { Property } from '@mikro-orm/decorators/legacy';
import { EmailType } from './email.js';
import { Role } from './role.js';

/** The value of a user's primary key. */
export type UserId = string | number | bigint;

/**
 * What every user of an app has. The app's own entity extends it, adds a primary key named `id` (integer, bigint or
 * uuid) and whatever else its users have. Nothing is registered until the app hands its entity to MikroORM.
 */
export abstract class BaseUser {
  abstract id: UserId;

  /** Unique without regard to case; stored in its normal form. */
  @Property({ type: EmailType, unique: true })
  email!: string;

  /**
   * argon2id hash in PHC form, or null for a user who cannot sign in with a password. It is loaded only where a
   * password is checked (`lazy`) and never serialized (`hidden`).
   */
  @Property({ type: 'text', nullable: true, lazy: true, hidden: true })
  passwordHash?: string | null;

  @Property({ type: 'string', length: 150, default: '' })
  firstName: string = '';

  @Property({ type: 'string', length: 150, default: '' })
  lastName: string = '';

  /** One of `Role`, or a number of the app's. */
  @Property({ type: 'integer', default: Role.USER })
  role: number = Role.USER;

  /** False: cannot sign in, and every session is refused at its next refresh. */
  @Property({ type: 'boolean', default: true })
  isActive: boolean = true;

  /** Whether the address counts as this user's: set at sign-up, as no mail is sent yet to prove it. */
  @Property({ type: 'boolean', default: false })
  emailVerified: boolean = false;
}
