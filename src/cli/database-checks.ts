import type { EntityMetadata } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';
import { createAuthEntities, modulesOf } from '../auth-entities.js';
import { Database } from '../database/database.js';
import { assertOneHost } from '../database/one-host.js';
import { entityMetadata, Table } from '../database/table.js';
import { SESSION_ENTITY } from '../sessions/session.entity.js';
import type { Settings } from '../settings/settings.js';
import { BaseUser } from '../users/base-user.entity.js';
import { describeError } from './error-messages.js';
import type { Finding } from './finding.js';
import { Placement } from './placement.js';
import { PoolerChecks } from './pooler-checks.js';
import { UserAccounts } from './user-accounts.js';
import { UserAddresses } from './user-addresses.js';
import { UserColumns } from './user-columns.js';

/** How far the clocks may differ, in milliseconds, before a warning and before a failure. */
const MAX_SKEW_MS = { warning: 1000, failed: 5000 };

/** Number of clock measurements; the fastest is the most exact. */
const CLOCK_SAMPLES = 3;

/** Percentage of a page that new rows may fill, so that their next versions fit into the same page (HOT updates). */
const MAX_FILLFACTOR = 90;

/** Properties of the user entity that the library needs. */
const USER_PROPERTIES = ['id', 'email', 'passwordHash', 'firstName', 'lastName', 'role', 'isActive', 'emailVerified'];

/** Checks a database: whether it can be reached, its clock, poolers, the library's tables, and the users. */
export class DatabaseChecks {
  readonly #database: Database;

  constructor(
    private readonly orm: MikroORM,
    /** Undefined if they are not valid. */
    private readonly settings: Settings | undefined,
  ) {
    this.#database = new Database(orm);
  }

  /**
   * Runs the checks. Those of users run only if no table or column is missing. If a query fails, that failure is the
   * only finding.
   */
  async run(): Promise<Finding[]> {
    try {
      assertOneHost(this.orm);
      await this.#database.usePool();
      const [row] = await this.#database.query<{ version: string }>(
        `select current_setting('server_version') as version`,
        [],
      );
      const reached = { name: 'database', status: 'ok', message: `PostgreSQL ${row?.version} answers` } as const;
      const ofPoolers = await new PoolerChecks(this.#database, this.settings).run();
      const found = [reached, await this.#isolation(), await this.#clock(), ...ofPoolers, await this.#fillfactor()];
      const tables = await this.#tables();
      return [...found, tables, ...(tables.status === 'ok' ? await this.#users() : [])];
    } catch (error) {
      return [{ name: 'database', status: 'failed', message: describeError(error) }];
    }
  }

  /** Checks the default isolation level, which applies to the library's statements outside of transactions. */
  async #isolation(): Promise<Finding> {
    const name = 'isolation';
    const [row] = await this.#database.query<{ level: string }>(
      `select current_setting('default_transaction_isolation') as level`,
      [],
    );
    if (row?.level === 'read committed')
      return { name, status: 'ok', message: 'the default isolation level is read committed' };
    const remedy = `alter database … set default_transaction_isolation = 'read committed'`;
    const found = `the default isolation level is ${row?.level}`;
    const message = `${found}: concurrent requests for the same row are answered with 503; ${remedy}`;
    return { name, status: 'warning', message };
  }

  /**
   * Compares the clocks, by the fastest of a few queries. It assumes that the database reads its clock in the middle of
   * a query.
   */
  async #clock(): Promise<Finding> {
    let fastest = Number.POSITIVE_INFINITY;
    let skew = 0;
    for (let attempt = 0; attempt < CLOCK_SAMPLES; attempt++) {
      const sentAt = Date.now();
      const sql = 'select (extract(epoch from clock_timestamp()) * 1000)::float8 as now';
      const [row] = await this.#database.query<{ now: number }>(sql, []);
      const tookMs = Date.now() - sentAt;
      if (tookMs < fastest) skew = (row?.now ?? 0) - (sentAt + tookMs / 2);
      fastest = Math.min(fastest, tookMs);
    }
    const difference = Math.abs(skew);
    const direction = skew > 0 ? 'behind' : 'ahead of';
    const message = `this machine's clock is ${(difference / 1000).toFixed(1)} s ${direction} the database's`;
    const status = difference > MAX_SKEW_MS.failed ? 'failed' : difference > MAX_SKEW_MS.warning ? 'warning' : 'ok';
    return { name: 'clock', status, message: status === 'ok' ? message : `${message}: synchronise both (NTP)` };
  }

  async #tables(): Promise<Finding> {
    const name = 'tables';
    const found = await Promise.all(this.#expected().map((expected) => this.#faultsOf(expected)));
    const missing = found.flatMap(({ missing }) => missing ?? []);
    const faults = [...missingTables(missing), ...found.flatMap(({ fault }) => fault ?? [])];
    if (faults.length === 0) return { name, status: 'ok', message: 'all tables and columns of the library exist' };
    const modules = modulesOf(this.orm).length > 0 ? ' and those of its modules, `authMigrations(modules)`' : '';
    const remedy = `run your migrations, including the library's${modules}`;
    return { name, status: 'failed', message: `${faults.join('; ')}: ${remedy}` };
  }

  /** The tables that the library and the app's modules need, with the columns that they use. */
  #expected(): { table: Table; columns: string[] }[] {
    const modules = modulesOf(this.orm);
    const libraryEntities = createAuthEntities({ user: () => BaseUser as never, modules }).map(({ meta }) =>
      this.#meta(meta.className),
    );
    const user = this.#user;
    const columnsOf = (meta: EntityMetadata, properties = Object.keys(meta.properties)) =>
      properties.flatMap((property) => meta.properties[property]?.fieldNames ?? []);
    const expected = libraryEntities.map((meta) => ({ table: Table.of(this.orm, meta), columns: columnsOf(meta) }));
    return [...expected, { table: Table.of(this.orm, user), columns: columnsOf(user, USER_PROPERTIES) }];
  }

  async #faultsOf({
    table,
    columns,
  }: {
    table: Table;
    columns: string[];
  }): Promise<{ missing?: Table; fault?: string }> {
    const { name } = table;
    const rows = await this.#database.query<{ column: string }>(
      `select attname as "column" from pg_attribute
       where attrelid = to_regclass($1) and attnum > 0 and not attisdropped`,
      [name],
    );
    const missing = columns.filter((column) => !rows.some((row) => row.column === column));
    if (rows.length === 0) return { missing: table };
    return missing.length === 0 ? {} : { fault: `the table ${name} lacks ${missing.join(', ')}` };
  }

  async #fillfactor(): Promise<Finding> {
    const name = 'fillfactor';
    const session = Table.of(this.orm, this.#meta(SESSION_ENTITY));
    const tooFull = await this.#database.query<{ name: string }>(
      `select oid::regclass::text as name from pg_class
       where oid in (select to_regclass($1) union select relid from pg_partition_tree(to_regclass($1)))
         and relkind = 'r'
         and coalesce(substring(array_to_string(reloptions, ' ') from 'fillfactor=(\\d+)')::int, 100) > $2
       order by 1`,
      [session.name, MAX_FILLFACTOR],
    );
    if (tooFull.length === 0)
      return { name, status: 'ok', message: 'the pages of the session table leave room for rotations' };
    const remedy = tooFull.map((table) => `alter table ${table.name} set (fillfactor = 75)`).join('; ');
    return { name, status: 'warning', message: `each rotation of a new session writes every index: ${remedy}` };
  }

  /** Checks the users' rows; the table must have every column of the library. */
  async #users(): Promise<Finding[]> {
    const users = Table.of(this.orm, this.#user);
    const columns = new UserColumns(this.#database, users);
    const accounts = new UserAccounts(this.#database, users);
    const addresses = await new UserAddresses(this.#database, users).run();
    const placement = new Placement(this.#database, this.orm, users);
    const index = await columns.addressIndex(await placement.areUsersSpread());
    const found = [await placement.run(), await columns.widths(), index, ...addresses, await accounts.hashes()];
    return this.settings ? [...found, await accounts.verification(this.settings)] : found;
  }

  get #user(): EntityMetadata {
    return this.#meta(SESSION_ENTITY).properties['user']?.targetMeta as EntityMetadata;
  }

  #meta(name: string): EntityMetadata {
    return entityMetadata(this.orm.getMetadata(), name);
  }
}

/** Names one missing table with its schema, and more than one without it. */
function missingTables(missing: readonly Table[]): string[] {
  const [first, ...others] = missing;
  if (!first) return [];
  if (others.length === 0) return [`the table ${first.name} is missing`];
  const names = missing.map(({ name, schema }) => name.slice(schema.length).replaceAll('"', ''));
  return [`${missing.length} tables are missing (${names.join(', ')})`];
}
