import type { Database } from './database.js';
import type { Table } from './table.js';

/** Pages of a table, and of each of its partitions, that one statement looks at: 1 MB. */
const PAGES_PER_STATEMENT = 128;

/** What the statement that deletes rows also does with them. */
export interface SweepFollowUp {
  /** What it reads of each row: a RETURNING list. */
  readonly returning: string;
  /** A common table expression over `deleted`; `$1` is the instant of the sweep. */
  readonly expression: string;
  /** A value of the expression, selected so that it runs: PostgreSQL skips what nobody reads. */
  readonly result: string;
}

/** Which rows are deleted. */
export interface SweepRule {
  /** The property with the instant from which on a row may go. */
  readonly since: string;
  /** For how many seconds after that it stays. */
  readonly secondsKept?: number;
  readonly followUp?: SweepFollowUp;
}

/**
 * Deletes expired rows of a large table. It walks once through the table's pages, in short statements that commit by
 * themselves. So it needs no index (one on a column that rotation writes would cost each rotation its HOT update), and
 * holds no lock for long. A row that another transaction holds is left for the next time.
 */
export class TableSweep {
  readonly #due: string;
  readonly #followUp: SweepFollowUp | undefined;

  constructor(
    private readonly database: Database,
    private readonly table: Table,
    { since, secondsKept = 0, followUp }: SweepRule,
  ) {
    this.#due = `${table.column(since)} <= $1::timestamptz - interval '${secondsKept} seconds'`;
    this.#followUp = followUp;
  }

  /** How many rows may go at an instant. */
  async count(at: Date): Promise<number> {
    const sql = `select count(*)::float8 as count from ${this.table.name} where ${this.#due}`;
    const [row] = await this.database.query<{ count: number }>(sql, [at]);
    return row?.count ?? 0;
  }

  /** Deletes the rows that may go at an instant, at most `limit` a statement. Yields how many, after each statement. */
  async *delete(at: Date, limit: number): AsyncGenerator<number> {
    const sql = this.#deletion();
    const end = await this.#pages();
    for (let page = 0; page < end; page += PAGES_PER_STATEMENT) {
      let count: number;
      do {
        const parameters = [at, `(${page},0)`, `(${page + PAGES_PER_STATEMENT},0)`, limit];
        const [row] = await this.database.query<{ count: number }>(sql, parameters);
        count = row?.count ?? 0;
        yield count;
      } while (count === limit);
    }
  }

  /** Pages of the table, or of its largest partition. */
  async #pages(): Promise<number> {
    const [row] = await this.database.query<{ pages: number }>(
      `select max(pg_relation_size(part) / current_setting('block_size')::int)::float8 as pages
       from (select $1::regclass as part union select relid from pg_partition_tree($1::regclass)) parts`,
      [this.table.name],
    );
    return row?.pages ?? 0;
  }

  /**
   * The rows are locked first, because only a SELECT can skip those that others hold. Each is named by its partition
   * and its place there; the places alone are what PostgreSQL goes to without a look at the rest of the table.
   */
  #deletion(): string {
    const { name } = this.table;
    const { returning = '1', expression, result } = this.#followUp ?? {};
    return `
      with batch as materialized (
        select tableoid as part, ctid as place from ${name}
        where ctid >= $2::tid and ctid < $3::tid and ${this.#due}
        limit $4 for update skip locked
      ), deleted as (
        delete from ${name} d
        where d.ctid = any (array(select place from batch)) and (d.tableoid, d.ctid) in (select part, place from batch)
        returning ${returning}
      )${expression ? `, ${expression}` : ''}
      select (select count(*) from deleted)::float8 as count${result ? `, ${result}` : ''}`;
  }
}
