import type { Database } from './database.js';
import type { Table } from './table.js';

/** How many pages one statement scans, of the table and of each of its partitions: 1 MB. */
const PAGES_PER_STATEMENT = 128;

/** What the deleting statement does with the deleted rows. */
export interface SweepFollowUp {
  /** A RETURNING list: the values that `expression` needs of each row. */
  readonly returning: string;
  /** A common table expression that reads from `deleted`. `$1` is the instant of the sweep. */
  readonly expression: string;
  /** A value to select from it, because PostgreSQL does not run a SELECT expression that no query reads. */
  readonly result: string;
}

/** Which rows a sweep deletes. */
export interface SweepRule {
  /** The property with the instant from which on a row may be deleted. */
  readonly since: string;
  /** How many seconds after that instant the row is kept. Default: 0. */
  readonly secondsKept?: number;
  readonly followUp?: SweepFollowUp;
}

/**
 * Deletes expired rows of a large table. It scans the pages of the table once, in short statements that commit
 * separately, so that no lock is held for long. It needs no index: an index on a column that rotation writes would
 * prevent HOT updates. It skips rows that another transaction has locked; the next purge deletes them.
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

  /** How many rows a sweep at this instant would delete. */
  async count(at: Date): Promise<number> {
    const sql = `select count(*)::float8 as count from ${this.table.name} where ${this.#due}`;
    const [row] = await this.database.query<{ count: number }>(sql, [at]);
    return row?.count ?? 0;
  }

  /** Deletes the rows that have expired at `at`, at most `limit` with each statement. Yields each statement's count. */
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

  /** How many pages the table has, or its largest partition. */
  async #pages(): Promise<number> {
    const [row] = await this.database.query<{ pages: number }>(
      `select max(pg_relation_size(part) / current_setting('block_size')::int)::float8 as pages
       from (select $1::regclass as part union select relid from pg_partition_tree($1::regclass)) parts`,
      [this.table.name],
    );
    return row?.pages ?? 0;
  }

  /**
   * A SELECT locks the rows first, because a DELETE cannot skip locked rows. A row is identified by its partition
   * (`tableoid`) and its place there (`ctid`). The condition on `ctid` alone lets PostgreSQL fetch the rows directly,
   * without a scan of the table.
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
