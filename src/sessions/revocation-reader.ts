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

/** A row of a page. A page without revocations has one row, in which `at` and `session` are null. */
interface Row extends Read {
  readonly oldestId: number;
  /** Whether a replica has answered. */
  readonly isReplica: boolean;
  readonly at: number | null;
  readonly session: string | null;
}

/**
 * Reads the revocations that were committed since the last read. The time in a row is the time of its writing, and the
 * commit may follow much later. So the time alone does not show which rows are new.
 *
 * Each read therefore also gets two transaction ids. PostgreSQL assigns these ids in order:
 *
 * - `oldestId`: the lowest id of a transaction that has not ended. This read cannot see the rows of such transactions;
 * - `nextId`: the id that PostgreSQL assigns next.
 *
 * Take an earlier read E whose `nextId` is at most the `oldestId` of this read. Every transaction that this read cannot
 * see got its id after E, and wrote its rows after that (`revocationSql`). Their times are therefore later than E. So
 * the next read can start at the time of E, and it starts at the latest such E.
 */
export class RevocationReader {
  readonly #page: string;
  /** Earlier reads, oldest first. The next read starts at the earliest of their times. */
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
    // Not always the time of the first: the database's clock may have been set back since.
    const start = this.#reads.reduce((least, { readAt }) => Math.min(least, readAt), first.readAt);
    let page = await channel.query<Row>(this.#page, [new Date(start - MAX_NODE_SKEW_MS), LOWEST_ID]);
    const [seen] = page;
    for (;;) {
      if (page[0]?.isReplica) throw new Error('a replica has answered');
      yield page.flatMap(({ at, session }) => (at === null || session === null ? [] : { at, session }));
      const end = page.at(-1);
      if (!end || page.length < PAGE_ROWS) break;
      page = await channel.query<Row>(this.#page, [new Date(end.at as number), end.session]);
    }
    if (!seen) return;
    const expiredAt = Math.min(seen.readAt, this.clock.now()) - this.retentionMs;
    this.#reads = stillNeeded([first, ...this.#reads.slice(1), seen], seen.oldestId, expiredAt);
  }
}

/**
 * Drops the reads before the one at which the next read starts: the latest E (see `RevocationReader`), or a later read
 * that is so old that all revocations before it have expired.
 */
function stillNeeded(reads: readonly Read[], oldestId: number, expiredAt: number): readonly Read[] {
  const first = reads.findLastIndex(({ nextId, readAt }) => nextId <= oldestId || readAt < expiredAt);
  return reads.slice(Math.max(first, 0));
}
