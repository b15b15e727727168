import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { ACCOUNT_ENTITY } from './account.entity.js';
import type { UserId } from './base-user.entity.js';
import type { UserService } from './user.service.js';

/**
 * The state of accounts: whether a user has not accepted an invitation yet, which second factors the user has, and the
 * credential epoch, which counts changes of credentials. A sign-in reads the epoch together with the password hash. The
 * statement that opens the session compares it (`SessionStore.insert`), so that a sign-in fails if the credentials have
 * changed meanwhile. The same statement changes the state `invited` to `in_use`.
 *
 * Each statement concerns one user. Those that record a change lock the user's row before the account's.
 */
export class Accounts {
  readonly #sql: ReturnType<typeof statements>;

  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly orm: MikroORM;
      readonly users: UserService;
      readonly clock: Clock;
    },
  ) {
    this.#sql = statements(Table.named(kernel.orm, ACCOUNT_ENTITY), kernel.users.table);
  }

  /** Stores that a new user was invited, in the transaction of `em`. @param seconds lifetime of the invitation */
  async recordInvitation(user: UserId, seconds: number, em: EntityManager): Promise<void> {
    const expiresAt = new Date(this.kernel.clock.now() + seconds * 1000);
    await this.kernel.database.query(this.#sql.invite, [user, expiresAt], em);
  }

  /**
   * Raises the credential epoch, so that no sign-in that began earlier can open a session, and sets the state `in_use`.
   * Call it in the transaction of every change of a password or another credential.
   */
  async recordCredentialChange(user: UserId, em: EntityManager): Promise<void> {
    await this.kernel.database.query(this.#sql.raiseEpoch, [user], em);
  }

  /**
   * Stores that a user has a second factor, or has it no more, and records a credential change. Call it in the
   * transaction of the change.
   *
   * @param name the name of the `SecondFactor`
   */
  async setSecondFactor(user: UserId, name: string, has: boolean, em: EntityManager): Promise<void> {
    // Two statements: Citus passes no parameters to the ON CONFLICT of an INSERT from a SELECT.
    const { database } = this.kernel;
    if ((await database.query(this.#sql.lockUser, [user], em)).length === 0) return;
    await database.query(this.#sql.setFactor, [user, name, has ? [name] : []], em);
  }

  /** The names of the second factors that a user has. */
  async secondFactorsOf(user: UserId, em?: EntityManager): Promise<string[]> {
    const [row] = await this.kernel.database.query<{ names: string[] }>(this.#sql.factors, [user], em);
    return row?.names ?? [];
  }

  /** Whether the state of a user is `invited`. The invitation may have expired. */
  async isInvited(user: UserId, em: EntityManager): Promise<boolean> {
    return (await this.kernel.database.query(this.#sql.invited, [user], em)).length > 0;
  }

  /** Whether the state of a user is `invited`, and the invitation has expired. */
  async hasExpiredInvitation(user: UserId, em: EntityManager): Promise<boolean> {
    const parameters = [user, new Date(this.kernel.clock.now())];
    return (await this.kernel.database.query(this.#sql.expired, parameters, em)).length > 0;
  }
}

function statements(account: Table, user: Table) {
  const a = {
    user: account.column('user'),
    state: account.column('state'),
    expiresAt: account.column('invitationExpiresAt'),
    epoch: account.column('credentialEpoch'),
    factors: account.column('secondFactors'),
  };
  const id = user.column('id');
  const lockUser = `select ${id} from ${user.name} where ${id} = $1 for no key update`;
  const invited = `select 1 from ${account.name} where ${a.user} = $1 and ${a.state} = 'invited'`;
  return {
    lockUser,
    invite: `
      insert into ${account.name} (${a.user}, ${a.state}, ${a.expiresAt}, ${a.epoch}) values ($1, 'invited', $2, 0)`,
    raiseEpoch: `
      with owner as (${lockUser})
      insert into ${account.name} as a (${a.user}, ${a.state}, ${a.epoch}) select ${id}, 'in_use', 1 from owner
      on conflict (${a.user}) do update set ${a.state} = 'in_use', ${a.epoch} = a.${a.epoch} + 1`,
    setFactor: `
      insert into ${account.name} as a (${a.user}, ${a.state}, ${a.epoch}, ${a.factors})
      values ($1, 'in_use', 1, $3::text[])
      on conflict (${a.user}) do update set ${a.state} = 'in_use', ${a.epoch} = a.${a.epoch} + 1,
        ${a.factors} = array_remove(a.${a.factors}, $2::text) || $3::text[]`,
    factors: `select ${a.factors} as "names" from ${account.name} where ${a.user} = $1`,
    invited,
    expired: `${invited} and ${a.expiresAt} <= $2`,
  };
}
