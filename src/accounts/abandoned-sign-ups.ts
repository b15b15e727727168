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
 * Accounts that nobody can call theirs: signed up or invited, never confirmed and never used. An account in use, a deactivated
 * one, one to which a row of the app's points, and one whose invitation is still good are none.
 */
export class AbandonedSignUps {
  readonly #sql: ReturnType<typeof statements>;

  constructor(
    private readonly database: Database,
    orm: MikroORM,
    users: UserService,
    private readonly clock: Clock,
  ) {
    this.#sql = statements(users.table, Table.named(orm, SESSION_ENTITY), Table.named(orm, ONE_TIME_KEY_ENTITY));
  }

  /** Whether an address is held by an account that is none of these. */
  async isAddressTaken(email: string, em: EntityManager): Promise<boolean> {
    return (await this.#query(this.#sql.find, email, em)).length > 0;
  }

  /**
   * Frees an address that only such an account holds. Until the transaction of `em` is over, nobody else frees or takes the
   * address in this way.
   */
  async remove(email: string, em: EntityManager): Promise<void> {
    await this.database.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [normalizeEmail(email)], em);
    await this.database.query('savepoint abandoned', [], em);
    try {
      await this.#query(this.#sql.remove, email, em);
      await this.database.query('release savepoint abandoned', [], em);
    } catch (error) {
      if (!isForeignKeyViolation(error)) throw error;
      await this.database.query('rollback to savepoint abandoned', [], em);
    }
  }

  #query(sql: string, email: string, em: EntityManager): Promise<object[]> {
    return this.database.query(sql, [normalizeEmail(email), new Date(this.clock.now())], em);
  }
}

function statements(user: Table, session: Table, key: Table) {
  const k = { user: key.column('user'), purpose: key.column('purpose'), expiresAt: key.column('expiresAt') };
  const isAbandoned = `
    u.${user.column('isActive')} and not u.${user.column('emailVerified')}
    and not exists (select from ${session.name} s where s.${session.column('user')} = u.${user.column('id')})
    and exists (
      select from ${key.name} k where k.${k.user} = u.${user.column('id')}
      and (k.${k.purpose} = 'registration' or k.${k.purpose} = 'invitation' and k.${k.expiresAt} <= $2)
    )`;
  const hasAddress = `u.${user.column('email')} = $1`;
  return {
    find: `select 1 from ${user.name} u where ${hasAddress} and not (${isAbandoned})`,
    remove: `delete from ${user.name} u where ${hasAddress} and ${isAbandoned}`,
  };
}
