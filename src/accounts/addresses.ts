import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import { isForeignKeyViolation } from '../database/constraint-violation.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { SESSION_ENTITY } from '../sessions/session.entity.js';
import { ONE_TIME_KEY_ENTITY } from '../tokens/one-time-key.entity.js';
import { normalizeEmail } from '../users/email.js';
import type { UserService } from '../users/user.service.js';

/**
 * Who holds an address: each user, but for one whose invitation has expired. That is a user who never came in – by a password,
 * by the mailed link, or by any session – and who is active, has no confirmed address, and no row of the app's points to.
 */
export class Addresses {
  readonly #sql: ReturnType<typeof statements>;

  constructor(
    private readonly database: Database,
    orm: MikroORM,
    users: UserService,
    private readonly clock: Clock,
  ) {
    this.#sql = statements(users.table, Table.named(orm, SESSION_ENTITY), Table.named(orm, ONE_TIME_KEY_ENTITY));
  }

  /** Whether somebody holds an address. */
  async isTaken(email: string, em: EntityManager): Promise<boolean> {
    return (await this.database.query(this.#sql.find, this.#parameters(email), em)).length > 0;
  }

  /** Waits until no other transaction holds the address in this way, and holds it until the transaction of `em` is over. */
  async lock(email: string, em: EntityManager): Promise<void> {
    await this.database.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [normalizeEmail(email)], em);
  }

  /** Locks an address, and deletes a user whose invitation has expired. Whether the address is free now. */
  async claim(email: string, em: EntityManager): Promise<boolean> {
    await this.lock(email, em);
    // A session that is being opened holds the user's row. The deletion has to see it, and so must not begin before.
    const unaccepted = await this.database.query(this.#sql.lock, this.#parameters(email), em);
    if (unaccepted.length > 0) await this.#deleteUnaccepted(email, em);
    return (await this.database.query(this.#sql.holder, [normalizeEmail(email)], em)).length === 0;
  }

  async #deleteUnaccepted(email: string, em: EntityManager): Promise<void> {
    await this.database.query('savepoint unaccepted', [], em);
    try {
      await this.database.query(this.#sql.remove, this.#parameters(email), em);
      await this.database.query('release savepoint unaccepted', [], em);
    } catch (error) {
      if (!isForeignKeyViolation(error)) throw error;
      await this.database.query('rollback to savepoint unaccepted', [], em);
    }
  }

  #parameters(email: string): unknown[] {
    return [normalizeEmail(email), new Date(this.clock.now())];
  }
}

function statements(user: Table, session: Table, key: Table) {
  const id = user.column('id');
  const isUnaccepted = `
    u.${user.column('isActive')} and not u.${user.column('emailVerified')} and u.${user.column('passwordHash')} is null
    and not exists (select from ${session.name} s where s.${session.column('user')} = u.${id})
    and exists (
      select from ${key.name} k where k.${key.column('user')} = u.${id}
      and k.${key.column('purpose')} = 'invitation' and k.${key.column('expiresAt')} <= $2
    )`;
  const hasAddress = `u.${user.column('email')} = $1`;
  return {
    find: `select 1 from ${user.name} u where ${hasAddress} and not (${isUnaccepted})`,
    holder: `select 1 from ${user.name} u where ${hasAddress}`,
    lock: `select 1 from ${user.name} u where ${hasAddress} and ${isUnaccepted} for update`,
    remove: `delete from ${user.name} u where ${hasAddress} and ${isUnaccepted}`,
  };
}
