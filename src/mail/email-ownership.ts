import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import { isForeignKeyViolation, isUniqueViolation } from '../database/constraint-violation.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
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
    const found = await this.kernel.database.query(this.#sql.find, this.#parameters(email), em);
    return found.length > 0 || this.isReservedByUndo(email, em, user);
  }

  /** Whether an address is the former address of a user other than `user`, and an undo link can still restore it. */
  async isReservedByUndo(email: string, em: EntityManager, user?: UserId): Promise<boolean> {
    const parameters = [...this.#parameters(email), user === undefined ? null : String(user)];
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
    // A parallel sign-in holds a lock on the user's row. Waits for it first, so that the DELETE sees the new session.
    const unaccepted = await this.kernel.database.query(this.#sql.lockUnaccepted, this.#parameters(email), em);
    if (unaccepted.length > 0) await this.#deleteUnaccepted(email, em);
    if ((await this.kernel.database.query(this.#sql.owner, [normalizeEmail(email)], em)).length > 0) return false;
    return !(await this.isReservedByUndo(email, em, user));
  }

  /**
   * Runs a transaction that inserts a user. If another user has got the address at that moment, runs it once more: the
   * other user is visible then, or was deleted since.
   *
   * @param given the given values of names and of the app's fields, by property
   * @throws email_already_registered, field_already_taken, and what `create` throws
   */
  async insert<T>(email: string, given: object, create: (isRetry: boolean) => Promise<T>): Promise<T> {
    const { users } = this.kernel;
    try {
      return await create(false);
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
    }
    try {
      return await create(true);
    } catch (error) {
      // The app's entity may have other unique columns.
      if (!isUniqueViolation(error) || !(await users.findByEmail(email))) throw users.refusalOf(error, given);
      throw authError('email_already_registered');
    }
  }

  async #deleteUnaccepted(email: string, em: EntityManager): Promise<void> {
    const { database } = this.kernel;
    try {
      await database.savepoint(em, () => database.query(this.#sql.removeUnaccepted, this.#parameters(email), em));
    } catch (error) {
      if (!isForeignKeyViolation(error)) throw error;
    }
  }

  #parameters(email: string): unknown[] {
    return [normalizeEmail(email), new Date(this.kernel.clock.now())];
  }
}

function statements({ user, session, account, key }: Record<'user' | 'session' | 'account' | 'key', Table>) {
  const id = user.column('id');
  const isUnaccepted = `
    u.${user.column('isActive')} and not u.${user.column('emailVerified')} and u.${user.column('passwordHash')} is null
    and not exists (select from ${session.name} s where s.${session.column('user')} = u.${id})
    and exists (
      select from ${account.name} a where a.${account.column('user')} = u.${id}
      and a.${account.column('state')} = 'invited' and a.${account.column('invitationExpiresAt')} <= $2
    )`;
  const hasAddress = `u.${user.column('email')} = $1`;
  return {
    find: `select 1 from ${user.name} u where ${hasAddress} and not (${isUnaccepted})`,
    reserved: `
      select 1 from ${key.name} k where k.${key.column('email')} = $1 and k.${key.column('expiresAt')} > $2
        and k.${key.column('purpose')} like 'email-undo-%'
        and ($3::text is null or k.${key.column('user')}::text <> $3)`,
    owner: `select 1 from ${user.name} u where ${hasAddress}`,
    lockUnaccepted: `select 1 from ${user.name} u where ${hasAddress} and ${isUnaccepted} for update`,
    removeUnaccepted: `delete from ${user.name} u where ${hasAddress} and ${isUnaccepted}`,
  };
}
