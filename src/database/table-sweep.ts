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

  /**
   * Deletes the rows that have expired at `at`, at most `limit` with each statement. Yields each statement's count.
   *
   * @throws Error if the table has no pages that this can read, but has rows to delete
   */
  async *delete(at: Date, limit: number): AsyncGenerator<number> {
    const { name } = this.table;
    const { pages: end, isDistributed } = await this.#size();
    if (end === 0 && (await this.count(at)) > 0)
      throw new Error(`cannot purge ${name}: PostgreSQL does not know its size, because its rows are stored elsewhere`);
    const sql = isDistributed ? this.#distributedDeletion() : this.#deletion();
    for (let page = 0; page < end; page += PAGES_PER_STATEMENT) {
      let count: number;
      do {
        const parameters = [at, `(${page},0)`, `(${page + PAGES_PER_STATEMENT},0)`, limit];
        const [row] = await this.database.query<{ count: number }>(sql, parameters);
        count = row?.count ?? 0;
        yield count;
        // Of the rows of a distributed batch, those that were rotated meanwhile are not deleted.
      } while (isDistributed ? count > 0 : count === limit);
    }
  }

  /** How many pages the table has, or its largest partition or shard, and whether Citus manages it. */
  async #size(): Promise<{ readonly pages: number; readonly isDistributed: boolean }> {
    const [found] = await this.database.query<{ pages: number; hasCitus: boolean }>(
      `select max(pg_relation_size(part) / current_setting('block_size')::int)::float8 as pages,
         to_regclass('pg_dist_partition') is not null as "hasCitus"
       from (select $1::regclass as part union select relid from pg_partition_tree($1::regclass)) parts`,
      [this.table.name],
    );
    const pages = found?.pages ?? 0;
    if (!found?.hasCitus) return { pages, isDistributed: false };
    const [shards] = await this.database.query<{ pages: number | null }>(
      `select max(result::bigint / current_setting('block_size')::int)::float8 as pages
       from run_command_on_shards($1, $$select pg_relation_size('%s')$$)
       where exists (select 1 from pg_dist_partition where logicalrelid = $1::regclass)`,
      [this.table.name],
    );
    return typeof shards?.pages === 'number'
      ? { pages: shards.pages, isDistributed: true }
      : { pages, isDistributed: false };
  }

  /**
   * A SELECT locks the rows first, because a DELETE cannot skip locked rows. A row is identified by its partition
   * (`tableoid`) and its place there (`ctid`). The condition on `ctid` alone lets PostgreSQL fetch the rows directly,
   * without a scan of the table.
   */
  #deletion(): string {
    const { name } = this.table;
    return this.#counted(
      `batch as materialized (
        select tableoid as part, ctid as place from ${name}
        where ctid >= $2::tid and ctid < $3::tid and ${this.#due}
        limit $4 for update skip locked
      )`,
      'd.ctid = any (array(select place from batch)) and (d.tableoid, d.ctid) in (select part, place from batch)',
    );
  }

  /**
   * The same for shards on several nodes, which all have rows at the same places: a row is identified by its primary
   * key. Citus cannot skip locked rows, so this waits for them.
   */
  #distributedDeletion(): string {
    const { name, key } = this.table;
    const places = 'ctid >= $2::tid and ctid < $3::tid';
    return this.#counted(
      `batch as materialized (select ${key.join(', ')} from ${name} where ${places} and ${this.#due} limit $4)`,
      `(${key.map((column) => `d.${column}`).join(', ')}) in (select ${key.join(', ')} from batch) and ${this.#due}`,
    );
  }

  #counted(batch: string, isInBatch: string): string {
    const { returning = '1', expression, result } = this.#followUp ?? {};
    return `
      with ${batch}, deleted as (
        delete from ${this.table.name} d where ${isInBatch} returning ${returning}
      )${expression ? `, ${expression}` : ''}
      select (select count(*) from deleted)::float8 as count${result ? `, ${result}` : ''}`;
  }
}
