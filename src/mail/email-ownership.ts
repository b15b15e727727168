import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import { isForeignKeyViolation, isUniqueViolation } from '../database/constraint-violation.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { ErrorCode, JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';
import { SESSION_ENTITY } from '../sessions/session.entity.js';
import { ONE_TIME_KEY_ENTITY } from '../tokens/one-time-key.entity.js';
import { ACCOUNT_ENTITY } from '../users/account.entity.js';
import type { UserId } from '../users/base-user.entity.js';
import { normalizeEmail } from '../users/email.js';
import type { UserService } from '../users/user.service.js';

/**
 * Finds out whether an e-mail address is free. An address is taken if a user has it, or if it is the former address of
 * a user and an undo link can still restore it.
 *
 * A user with an expired invitation does not count. Such a user is active, has never signed in, and has no password, no
 * confirmed address and no session. `claim` deletes the user. If rows of the app refer to the user, this fails: the
 * address stays taken.
 */
export class EmailOwnership {
  readonly #sql: ReturnType<typeof statements>;

  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly orm: MikroORM;
      readonly users: UserService;
      readonly clock: Clock;
    },
  ) {
    const { orm, users } = kernel;
    const tables = { account: Table.named(orm, ACCOUNT_ENTITY), key: Table.named(orm, ONE_TIME_KEY_ENTITY) };
    this.#sql = statements({ ...tables, user: users.table, session: Table.named(orm, SESSION_ENTITY) });
  }

  /** Whether an address is taken, also by `user`. Former addresses of `user` do not count. */
  async isTaken(email: string, em: EntityManager, user?: UserId): Promise<boolean> {
    const holder = await this.#holderOf(email, em);
    const isHeld = holder && !(holder.isUnproved && (await this.#isUnaccepted(holder.id, email, em)));
    return isHeld || this.isReservedByUndo(email, em, user);
  }

  /** Whether an address is the former address of a user other than `user`, and an undo link can still restore it. */
  async isReservedByUndo(email: string, em: EntityManager, user?: UserId): Promise<boolean> {
    const parameters = [normalizeEmail(email), this.#now, user === undefined ? null : String(user)];
    return (await this.kernel.database.query(this.#sql.reserved, parameters, em)).length > 0;
  }

  /** Locks an address until the end of the transaction of `em`. Waits for other transactions that have locked it. */
  async lock(email: string, em: EntityManager): Promise<void> {
    await this.kernel.database.query(
      'select pg_advisory_xact_lock(hashtextextended($1, 0))',
      [normalizeEmail(email)],
      em,
    );
  }

  /**
   * Locks an address, and deletes a user with an expired invitation who has it.
   *
   * @returns whether the address is free for `user`
   */
  async claim(email: string, em: EntityManager, user?: UserId): Promise<boolean> {
    await this.lock(email, em);
    const holder = await this.#holderOf(email, em);
    if (holder && !(holder.isUnproved && (await this.#deleteUnaccepted(holder.id, email, em)))) return false;
    return !(await this.isReservedByUndo(email, em, user));
  }

  /**
   * Runs a transaction that calls `claim` and inserts a user. If the app itself has inserted a user with the address at
   * that moment, runs it once more: the other user is visible then, or was deleted since.
   *
   * @param given the given values of names and of the app's fields, by property
   * @throws email_already_registered, field_already_taken, and what `create` throws
   */
  async insert<T>(email: string, given: object, create: () => Promise<T>): Promise<T> {
    const { users } = this.kernel;
    try {
      return await create();
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
    }
    try {
      return await create();
    } catch (error) {
      // The app's entity may have other unique columns.
      if (!isUniqueViolation(error) || !(await users.findByEmail(email))) throw users.refusalOf(error, given);
      throw authError('email_already_registered');
    }
  }

  /** The user with an address. */
  async #holderOf(email: string, em: EntityManager): Promise<Holder | undefined> {
    return (await this.kernel.database.query<Holder>(this.#sql.holder, [normalizeEmail(email)], em))[0];
  }

  /** Whether a user has this address and an expired invitation. */
  async #isUnaccepted(user: UserId, email: string, em: EntityManager): Promise<boolean> {
    const parameters = [user, this.#now, normalizeEmail(email)];
    return (await this.kernel.database.query(this.#sql.unaccepted, parameters, em)).length > 0;
  }

  /** Deletes a user with an expired invitation. False: the user has none, or rows of the app refer to the user. */
  async #deleteUnaccepted(user: UserId, email: string, em: EntityManager): Promise<boolean> {
    const { database, users } = this.kernel;
    // A parallel sign-in holds a lock on the user's row. Waits for it first, to see the new session.
    await database.query(this.#sql.lockUser, [user], em);
    if (!(await this.#isUnaccepted(user, email, em))) return false;
    try {
      return await database.savepoint(em, () => users.delete(user, em));
    } catch (error) {
      if (!isForeignKeyViolation(error)) throw error;
      return false;
    }
  }

  get #now(): Date {
    return new Date(this.kernel.clock.now());
  }
}

/** The user who has an address. */
interface Holder {
  readonly id: UserId;
  /** Whether the user may never have signed in. `#isUnaccepted` finds out. */
  readonly isUnproved: boolean;
}

/** Each statement concerns one address or one user, so that a distributed PostgreSQL can run it. */
function statements({ user, session, account, key }: Record<'user' | 'session' | 'account' | 'key', Table>) {
  const id = user.column('id');
  const hasAddress = (place: number) => `u.${user.column('email')} = $${place}`;
  const isUnproved = `
    u.${user.column('isActive')} and not u.${user.column('emailVerified')}
    and u.${user.column('passwordHash')} is null`;
  return {
    holder: `select u.${id} as "id", ${isUnproved} as "isUnproved" from ${user.name} u where ${hasAddress(1)}`,
    reserved: `
      select 1 from ${key.name} k where k.${key.column('email')} = $1 and k.${key.column('expiresAt')} > $2
        and k.${key.column('purpose')} like 'email-undo-%'
        and ($3::text is null or k.${key.column('user')}::text <> $3)`,
    lockUser: `select 1 from ${user.name} where ${id} = $1 for update`,
    unaccepted: `
      select 1 from ${user.name} u join ${account.name} a on a.${account.column('user')} = u.${id}
      where u.${id} = $1 and ${hasAddress(3)} and ${isUnproved} and a.${account.column('state')} = 'invited'
        and a.${account.column('invitationExpiresAt')} <= $2
        and not exists (select 1 from ${session.name} s where s.${session.column('user')} = $1)`,
  };
}

/** Whether an error says that another user has the address. */
export function isAddressTaken(error: unknown): boolean {
  return error instanceof JwtAllauthError && error.code === ErrorCode.EmailAlreadyRegistered;
}
