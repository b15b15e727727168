import type { MikroORM } from '@mikro-orm/postgresql';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { SESSION_ENTITY } from '../sessions/session.entity.js';
import { CHALLENGE_ENTITY } from '../sign-in/challenge.entity.js';
import { ONE_TIME_KEY_ENTITY } from '../tokens/one-time-key.entity.js';
import { ACCOUNT_ENTITY } from '../users/account.entity.js';
import type { Finding } from './finding.js';

/** How Citus stores a table: `reference` is a copy on each node, `shards` have rows by the value of `column`. */
interface Stored {
  readonly kind: 'reference' | 'shards' | 'local';
  readonly column: string | null;
  readonly colocation: number;
}

/** The tables that each statement of a request joins with the user, and the tables of mailed links and challenges. */
const HOT = [SESSION_ENTITY, ACCOUNT_ENTITY];
const BY_USER = [...HOT, ONE_TIME_KEY_ENTITY, CHALLENGE_ENTITY];

/** Finds out where PostgreSQL stores sessions and users: one table, partitions, or the nodes of Citus. */
export class Placement {
  readonly #session: Table;

  constructor(
    private readonly database: Database,
    private readonly orm: MikroORM,
    private readonly users: Table,
  ) {
    this.#session = Table.named(orm, SESSION_ENTITY);
  }

  /** Whether the users are spread over several nodes, where no index can be unique except the primary key. */
  async areUsersSpread(): Promise<boolean> {
    return (await this.#hasCitus()) && (await this.#storedAs(this.users)).kind === 'shards';
  }

  /** Checks that the statements of a request concern one node. */
  async run(): Promise<Finding> {
    const name = 'placement';
    if (!(await this.#hasCitus())) return { name, status: 'ok', message: await this.#partitions() };
    const users = await this.#storedAs(this.users);
    const session = await this.#storedAs(this.#session);
    if (users.kind === 'local' && session.kind === 'local')
      return { name, status: 'ok', message: 'Citus is installed, but sessions and users are on one node' };
    const isByUser = users.kind === 'shards';
    const faults = users.kind === 'local' ? [`${this.users.name} is on one node`] : [];
    if (isByUser && users.column !== this.users.column('id'))
      faults.push(`${this.users.name} is not distributed by ${this.users.column('id')}`);
    const [center, { colocation: expected }] = isByUser ? [this.users, users] : [this.#session, session];
    for (const entity of isByUser ? BY_USER : HOT) {
      const table = Table.named(this.orm, entity);
      const { kind, column, colocation } = await this.#storedAs(table);
      if (kind !== 'shards' || column !== table.column('user'))
        faults.push(`${table.name} is not distributed by ${table.column('user')}`);
      else if (colocation !== expected) faults.push(`${table.name} is not colocated with ${center.name}`);
    }
    if (faults.length > 0)
      return { name, status: 'failed', message: `${faults.join('; ')}: see "A distributed PostgreSQL" in the manual` };
    const message = isByUser
      ? 'Citus has users and sessions by user. Addresses stay unique if all servers use one coordinator'
      : 'Citus has the users on each node, and sessions by user';
    return { name, status: 'ok', message };
  }

  async #partitions(): Promise<string> {
    const [row] = await this.database.query<{ count: number }>(
      'select count(*)::int as count from pg_partition_tree($1::regclass) where isleaf and relid <> $1::regclass',
      [this.#session.name],
    );
    return row?.count ? `the sessions are in ${row.count} partitions` : 'the sessions are in one table';
  }

  async #hasCitus(): Promise<boolean> {
    const [row] = await this.database.query<{ has: boolean }>(
      `select to_regclass('pg_dist_partition') is not null as has`,
      [],
    );
    return row?.has ?? false;
  }

  async #storedAs({ name }: Table): Promise<Stored> {
    const [row] = await this.database.query<Stored>(
      `select case when partmethod = 'h' then 'shards' when repmodel = 't' then 'reference' else 'local' end as kind,
         '"' || column_to_column_name(logicalrelid, partkey) || '"' as column, colocationid as colocation
       from pg_dist_partition where logicalrelid = $1::regclass`,
      [name],
    );
    return row ?? { kind: 'local', column: null, colocation: 0 };
  }
}
