import { Table } from '../../database/table.js';
import type { AuthKernel } from '../../kernel.js';
import { ACCOUNT_ENTITY } from '../../users/account.entity.js';
import { PASSKEY_ENTITY } from './passkey.entity.js';
import type { RelyingParty } from './relying-party.js';

/** The number of passkeys that were made for a domain. Disabled ones are not counted. */
export interface PasskeysOfDomain {
  readonly rpId: string;
  readonly count: number;
  /** Whether it is the domain of the app now. Browsers do not offer passkeys of another one. */
  readonly isCurrent: boolean;
}

/** Some users, of whom the first five are named. */
export interface SomeUsers {
  readonly count: number;
  /** Their ids. */
  readonly first: readonly string[];
}

/** Users whose account state differs from their passkeys. */
export interface InconsistentUsers {
  /** The account state names passkeys, and the user has none that can be used. */
  readonly withoutPasskey: SomeUsers;
  /** The user has passkeys, and the account state does not name them. */
  readonly withoutFactor: SomeUsers;
}

/** Compares the stored passkeys with the settings and with the states of accounts, for `jwt-allauth check`. */
export class PasskeyConsistency {
  readonly #sql: ReturnType<typeof statements>;

  constructor(private readonly kernel: Pick<AuthKernel, 'database' | 'orm'> & { readonly relyingParty: RelyingParty }) {
    this.#sql = statements(Table.named(kernel.orm, PASSKEY_ENTITY), Table.named(kernel.orm, ACCOUNT_ENTITY));
  }

  /** How many passkeys can be used, by domain. Most first. */
  async countByDomain(): Promise<PasskeysOfDomain[]> {
    const { database, relyingParty } = this.kernel;
    const rows = await database.query<{ rpId: string; count: number }>(this.#sql.countByDomain, []);
    return rows.map((row) => ({ ...row, isCurrent: row.rpId === relyingParty.id }));
  }

  /** Users whose account state differs from their passkeys. Reads both tables as a whole. */
  async inconsistentUsers(): Promise<InconsistentUsers> {
    const rows = await this.kernel.database.query<SomeUsers & { hasPasskey: boolean }>(this.#sql.inconsistent, []);
    const of = (hasPasskey: boolean): SomeUsers => {
      const { count = 0, first = [] } = rows.find((row) => row.hasPasskey === hasPasskey) ?? {};
      return { count, first };
    };
    return { withoutPasskey: of(false), withoutFactor: of(true) };
  }
}

function statements(passkey: Table, account: Table) {
  const [owner, rpId, disabledAt] = ['user', 'rpId', 'disabledAt'].map((name) => passkey.column(name));
  const [user, factors] = ['user', 'secondFactors'].map((name) => account.column(name));
  return {
    countByDomain: `
      select ${rpId} as "rpId", count(*)::float8 as "count" from ${passkey.name}
      where ${disabledAt} is null group by ${rpId} order by 2 desc, 1`,
    inconsistent: `
      with stored as (select distinct ${owner} as id from ${passkey.name} where ${disabledAt} is null),
        named as (select ${user} as id from ${account.name} where 'passkey' = any(${factors}))
      select stored.id is not null as "hasPasskey", count(*)::float8 as "count",
        (array_agg(coalesce(stored.id, named.id)::text order by coalesce(stored.id, named.id)))[1:5] as "first"
      from stored full join named on named.id = stored.id
      where stored.id is null or named.id is null group by 1`,
  };
}
