import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { ACCOUNT_ENTITY } from './account.entity.js';
import type { UserId } from './base-user.entity.js';
import type { UserService } from './user.service.js';

/**
 * The state of accounts: whether a user was invited and never signed in, and the credential epoch. The epoch counts
 * the changes of credentials. A sign-in reads it when it looks at the password; the statement that opens the session
 * compares it (`SessionStore.insert`), and moves an invited user to `in_use`.
 *
 * Each statement names the user as an equality, and takes the user's row before the account's.
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

  /** Records that a new user was invited, in the transaction of `em`. @param seconds until the invitation expires */
  async recordInvitation(user: UserId, seconds: number, em: EntityManager): Promise<void> {
    const expiresAt = new Date(this.kernel.clock.now() + seconds * 1000);
    await this.kernel.database.query(this.#sql.invite, [user, expiresAt], em);
  }

  /**
   * Records a change of credentials, in the transaction of the change: raises the epoch, so that no sign-in that began
   * before opens a session, and counts the account as in use. Every change of a password must call it.
   */
  async recordCredentialChange(user: UserId, em: EntityManager): Promise<void> {
    await this.kernel.database.query(this.#sql.raiseEpoch, [user], em);
  }

  /** Whether a user was invited and has never signed in; the invitation may have expired. */
  async isInvited(user: UserId, em: EntityManager): Promise<boolean> {
    return (await this.kernel.database.query(this.#sql.invited, [user], em)).length > 0;
  }

  /** Whether a user was invited, has never signed in, and can no longer do so by the invitation. */
  async hasExpiredInvitation(user: UserId, em: EntityManager): Promise<boolean> {
    const parameters = [user, new Date(this.kernel.clock.now())];
    return (await this.kernel.database.query(this.#sql.expired, parameters, em)).length > 0;
  }
}

function statements(account: Table, user: Table) {
  const [owner, state, expiresAt, epoch] = ['user', 'state', 'invitationExpiresAt', 'credentialEpoch'].map((name) =>
    account.column(name),
  );
  const id = user.column('id');
  const invited = `select 1 from ${account.name} where ${owner} = $1 and ${state} = 'invited'`;
  return {
    invite: `
      insert into ${account.name} (${owner}, ${state}, ${expiresAt}, ${epoch}) values ($1, 'invited', $2, 0)`,
    raiseEpoch: `
      with owner as (select ${id} from ${user.name} where ${id} = $1 for no key update)
      insert into ${account.name} as a (${owner}, ${state}, ${epoch}) select ${id}, 'in_use', 1 from owner
      on conflict (${owner}) do update set ${state} = 'in_use', ${epoch} = a.${epoch} + 1`,
    invited,
    expired: `${invited} and ${expiresAt} <= $2`,
  };
}
