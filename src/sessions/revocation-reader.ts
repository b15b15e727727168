import type { Clock } from '../clock.js';
import type { Table } from '../database/table.js';
import type { RevocationChannel } from './revocation-channel.js';

/** How many rows are read with one query. */
const PAGE_ROWS = 10_000;

/** Tolerated difference between the clocks of the nodes of one database. */
const MAX_NODE_SKEW_MS = 5000;

/** The lowest session id, to start reading from. */
const LOWEST_ID = '00000000-0000-0000-0000-000000000000';

/** The end of a session, as the table has it. */
interface Revocation {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly session: string;
}

/** The time of a read, by the clock of the database, and the next transaction id at that time. */
interface Read {
  readonly readAt: number;
  readonly nextId: number;
}

/** A row of a page. If there is no revocation, one row has the rest. */
interface Row extends Read {
  readonly oldestId: number;
  /** Whether a replica has answered. */
  readonly isReplica: boolean;
  readonly at: number | null;
  readonly session: string;
}

/**
 * Reads from the table of revocations what was committed since the last read. The times of rows do not show that: a
 * transaction may commit long after it has written its row. So a read also asks for transaction ids, which PostgreSQL
 * assigns in order: `oldestId`, the lowest of all transactions that have not ended, and `nextId`, the next to be
 * assigned.
 *
 * A read does not see the rows of a transaction that has not ended. The id of such a transaction is at least
 * `oldestId`. If that is not lower than the `nextId` of an earlier read, the transaction got its id after that earlier
 * read, and its rows got their times even later (`revocationSql`). So the next read starts at the latest such read.
 */
export class RevocationReader {
  readonly #page: string;
  /** Earlier reads, oldest first. The next read starts at the first of them. */
  #reads: readonly Read[] = [];

  /** @param retentionMs how long a revocation is needed */
  constructor(
    table: Table,
    private readonly retentionMs: number,
    private readonly clock: Clock,
  ) {
    const [at, session] = [table.column('revokedAt'), table.column('session')];
    this.#page = `
      with transactions as (select pg_snapshot_xmin(pg_current_snapshot()) as oldest_id)
      select (extract(epoch from statement_timestamp()) * 1000)::float8 as "readAt",
        oldest_id::text::float8 as "oldestId", oldest_id::text::float8 + age(oldest_id::xid) as "nextId",
        pg_is_in_recovery() as "isReplica",
        (extract(epoch from ${at}) * 1000)::float8 as "at", ${session}::text as "session"
      from transactions left join (
        select ${at}, ${session} from ${table.name} where (${at}, ${session}) > ($1::timestamptz, $2::uuid)
        order by ${at}, ${session} limit ${PAGE_ROWS}
      ) revocation on true
      order by ${at}, ${session}`;
  }

  /** Lets the next read be complete, as the first one is. */
  restart(): void {
    this.#reads = [];
  }

  /**
   * Reads all revocations that the last read has not seen, and some that it has, page by page.
   *
   * @throws Error if a replica answers, which may be behind
   */
  async *read(channel: RevocationChannel): AsyncGenerator<Revocation[]> {
    const [first = { readAt: this.clock.now() - this.retentionMs, nextId: 0 }] = this.#reads;
    // The earliest is not always the first: the clock of the database may have been set back.
    const start = this.#reads.reduce((least, { readAt }) => Math.min(least, readAt), first.readAt);
    let page = await channel.query<Row>(this.#page, [new Date(start - MAX_NODE_SKEW_MS), LOWEST_ID]);
    const [seen] = page;
    for (;;) {
      if (page[0]?.isReplica) throw new Error('a replica has answered');
      yield page.flatMap(({ at, session }) => (at === null ? [] : { at, session }));
      const end = page.at(-1);
      if (!end || page.length < PAGE_ROWS) break;
      page = await channel.query<Row>(this.#page, [new Date(end.at as number), end.session]);
    }
    if (!seen) return;
    const expiredAt = Math.min(seen.readAt, this.clock.now()) - this.retentionMs;
    this.#reads = stillNeeded([first, ...this.#reads.slice(1), seen], seen.oldestId, expiredAt);
  }
}

/** Drops the reads at which no later read has to start. */
function stillNeeded(reads: readonly Read[], oldestId: number, expiredAt: number): readonly Read[] {
  const first = reads.findLastIndex(({ nextId, readAt }) => nextId <= oldestId || readAt < expiredAt);
  return reads.slice(Math.max(first, 0));
}
