import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { SESSION_ENTITY } from '../sessions/session.entity.js';
import { ONE_TIME_KEY_ENTITY } from '../tokens/one-time-key.entity.js';
import { normalizeEmail } from '../users/email.js';
import type { UserService } from '../users/user.service.js';

/** Accounts that nobody can call theirs: signed up or invited, never confirmed and never used. */
export class AbandonedSignUps {
  readonly #remove: string;

  constructor(
    private readonly database: Database,
    orm: MikroORM,
    users: UserService,
    private readonly clock: Clock,
  ) {
    this.#remove = statement(users.table, Table.named(orm, SESSION_ENTITY), Table.named(orm, ONE_TIME_KEY_ENTITY));
  }

  /**
   * Frees an address that only such an account holds. An account in use, a deactivated one, and one whose invitation is still
   * good stay. Until the transaction of `em` is over, nobody else frees or takes the address in this way.
   */
  async remove(email: string, em: EntityManager): Promise<void> {
    await this.database.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [normalizeEmail(email)], em);
    await this.database.query(this.#remove, [normalizeEmail(email), new Date(this.clock.now())], em);
  }
}

function statement(user: Table, session: Table, key: Table): string {
  const k = { user: key.column('user'), purpose: key.column('purpose'), expiresAt: key.column('expiresAt') };
  return `
    delete from ${user.name} u
    where u.${user.column('email')} = $1 and u.${user.column('isActive')} and not u.${user.column('emailVerified')}
      and not exists (select from ${session.name} s where s.${session.column('user')} = u.${user.column('id')})
      and exists (
        select from ${key.name} k where k.${k.user} = u.${user.column('id')}
        and (k.${k.purpose} = 'registration' or k.${k.purpose} = 'invitation' and k.${k.expiresAt} <= $2)
      )`;
}
