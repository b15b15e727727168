import type { Database } from '../database/database.js';
import type { Table } from '../database/table.js';
import { HASH_LENGTH } from '../users/assert-user-entity.js';
import type { Finding } from './finding.js';

/** Maximum lengths in characters: what sign-up accepts, and the length of a hash. */
const WIDTHS = { email: 254, passwordHash: HASH_LENGTH, firstName: 150, lastName: 150 };

/** An index on the address column or on an expression of it. */
interface AddressIndex {
  readonly name: string;
  readonly isUnique: boolean;
  readonly isPartial: boolean;
  readonly isExpression: boolean;
}

/** Checks the columns of the user table in the database, which may differ from the entity. */
export class UserColumns {
  constructor(
    private readonly database: Database,
    private readonly users: Table,
  ) {}

  /** Checks that the columns are wide enough. */
  async widths(): Promise<Finding> {
    const name = 'columns';
    const limits = new Map((await this.#limits()).map(({ column, limit }) => [column, limit]));
    const faults = Object.entries(WIDTHS).flatMap(([property, needed]) => {
      const column = this.users.column(property);
      const limit = limits.get(column) ?? Number.POSITIVE_INFINITY;
      return limit < needed ? [{ column, fault: `${column} holds ${limit} characters instead of ${needed}` }] : [];
    });
    if (faults.length === 0)
      return { name, status: 'ok', message: 'addresses, hashes and names fit into their columns' };
    const remedy = faults.map(({ column }) => `alter column ${column} type text`).join(', ');
    const found = faults.map(({ fault }) => fault).join('; ');
    return { name, status: 'failed', message: `${found}: alter table ${this.users.name} ${remedy}` };
  }

  /** Columns with a length limit, including limits of a domain. */
  async #limits(): Promise<{ column: string; limit: number }[]> {
    return this.database.query(
      `select '"' || attname || '"' as "column", modifier - 4 as limit from (
         select attname, case typtype when 'd' then typbasetype else t.oid end as type,
           case typtype when 'd' then typtypmod else atttypmod end as modifier
         from pg_attribute join pg_type t on t.oid = atttypid
         where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
       ) columns where type in ('varchar'::regtype, 'bpchar'::regtype) and modifier >= 4`,
      [this.users.name],
    );
  }

  /**
   * Checks that no address can be in two rows. Only a valid unique index on the address counts: on the column, or on an
   * expression that reads nothing else, such as `lower(email)`. A partial index leaves out rows that look-ups find.
   *
   * @param areUsersSpread whether no index on the address can be unique (`Placement`)
   */
  async addressIndex(areUsersSpread: boolean): Promise<Finding> {
    const name = 'address-index';
    const indexes = await this.#addressIndexes();
    if (areUsersSpread && indexes.some(({ isPartial, isExpression }) => !isPartial && !isExpression))
      return { name, status: 'ok', message: 'look-ups by address use an index; sign-ups lock the address' };
    const unique = indexes.filter(({ isUnique }) => isUnique);
    const [column, table] = [this.users.column('email'), this.users.name];
    const remedy = `create ${areUsersSpread ? '' : 'unique '}index concurrently on ${table} (${column})`;
    const whole = unique.filter(({ isPartial }) => !isPartial);
    if (whole.some(({ isExpression }) => !isExpression)) {
      return { name, status: 'ok', message: 'a unique index allows each address only once' };
    }
    const [expression] = whole;
    if (expression) {
      const message = `${expression.name} keeps addresses unique, but look-ups compare ${column} itself`;
      return { name, status: 'warning', message: `${message} and read the whole table: ${remedy}` };
    }
    const partial = unique.map((index) => `; ${index.name} is partial (where …) and does not count`).join('');
    const message = `two users can have the same address, because ${table} has no unique index on ${column}${partial}`;
    return { name, status: 'failed', message: `${message}: ${remedy}` };
  }

  /** Valid indexes with one key, which reads only the address. */
  async #addressIndexes(): Promise<AddressIndex[]> {
    return this.database.query(
      `select indexrelid::regclass::text as name, indisunique as "isUnique", indpred is not null as "isPartial",
         indexprs is not null as "isExpression"
       from pg_index join pg_attribute on attrelid = indrelid and '"' || attname || '"' = $2
       where indrelid = to_regclass($1) and indisvalid and indnkeyatts = 1
         and (indkey[0] = attnum or indkey[0] = 0 and array[attnum::int] = (
           select array_agg(distinct refobjsubid) from pg_depend
           where classid = 'pg_class'::regclass and objid = indexrelid and refobjid = indrelid and refobjsubid > 0))
       order by 1`,
      [this.users.name, this.users.column('email')],
    );
  }
}
