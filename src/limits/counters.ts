import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import type { RateLimit } from '../settings/rate-limit.js';
import { COUNTER_ENTITY } from './counter.entity.js';
import { counterStatements } from './counter-statements.js';

/** How often something was counted in its time, and for how many seconds more that lasts. */
export interface Count {
  readonly count: number;
  readonly wait: number;
}

/** A counter with its limit. */
export interface LimitedCounter {
  readonly key: string;
  readonly limit: RateLimit;
  /** True: counted only where the mark stands, and refuses nothing here. */
  readonly isOwn?: boolean;
}

/** What became of an attempt that was to be counted. */
export interface Reservation {
  /** The counters to which the attempt was added: none if it was refused. */
  readonly counted: readonly string[];
  /** Seconds after which to try again; undefined: the attempt may be made. */
  readonly retryAfter?: number;
  /** Whether the mark stands. */
  readonly isMarked: boolean;
}

interface CounterRow {
  readonly key: string;
  readonly isCounted: boolean;
  readonly isReached: boolean;
  /** Seconds until the count starts anew. */
  readonly wait: number;
  readonly isMarked: boolean;
}

/**
 * The counters under every limit, in PostgreSQL, which all servers share. Each operation is one statement, so that
 * parallel events are all seen. A key is a keyed hash: nobody can read from the table whom a row is about.
 *
 * A row whose count is 0 is a mark: what it stands for holds until its time is over.
 */
export class Counters {
  readonly #sql: ReturnType<typeof counterStatements>;

  constructor(
    protected readonly kernel: { readonly database: Database; readonly orm: MikroORM; readonly clock: Clock },
  ) {
    this.#sql = counterStatements(Table.named(kernel.orm, COUNTER_ENTITY));
  }

  /**
   * Counts one more event.
   *
   * @param seconds after which the count starts anew
   */
  async count(key: string, seconds: number, em?: EntityManager): Promise<Count> {
    const now = this.kernel.clock.now();
    const parameters = [key, new Date(now + seconds * 1000), new Date(now)];
    const [row] = await this.kernel.database.query<Count>(this.#sql.count, parameters, em);
    return row ?? { count: 0, wait: 0 };
  }

  /** Counts one more attempt in each counter, or in none if a limit is reached. @param mark key of the mark */
  async reserve(counters: readonly LimitedCounter[], mark?: string): Promise<Reservation> {
    if (counters.length === 0) return { counted: [], isMarked: false };
    const now = this.kernel.clock.now();
    const rows = await this.kernel.database.query<CounterRow>(this.#sql.reserve, [
      counters.map(({ key }) => key),
      counters.map(({ limit }) => new Date(now + limit.seconds * 1000)),
      counters.map(({ limit }) => limit.count),
      counters.map(({ isOwn = false }) => isOwn),
      mark ?? null,
      new Date(now),
    ]);
    const counted = rows.filter(({ isCounted }) => isCounted).map(({ key }) => key);
    const reached = rows.filter(({ isReached }) => isReached);
    const isMarked = rows.some((row) => row.isMarked);
    if (reached.length === 0) return { counted, isMarked };
    await this.release(counted); // a refused attempt is no failure: it must not use up the other limits
    return { counted: [], isMarked, retryAfter: Math.max(1, ...reached.map(({ wait }) => Math.ceil(wait))) };
  }

  /** Takes an attempt back that was no failure. */
  async release(keys: readonly string[]): Promise<void> {
    if (keys.length > 0) await this.kernel.database.query(this.#sql.release, [keys]);
  }

  /** Takes an attempt back that was a success, and starts some of the counters anew. */
  async succeed(counted: readonly string[], cleared: readonly string[]): Promise<void> {
    const keys = [...new Set([...counted, ...cleared])];
    if (keys.length > 0) await this.kernel.database.query(this.#sql.succeed, [keys, cleared]);
  }

  /** Sets a mark until an instant. One that stands beyond `enough` is left as it is, and nothing is written. */
  async mark(key: string, until: Date, enough: Date, em?: EntityManager): Promise<void> {
    await this.kernel.database.query(this.#sql.mark, [key, until, enough], em);
  }

  /** Sets a mark that stands, until another instant. One beyond `enough` stays as it is, and so does a lapsed one. */
  async renewMark(key: string, until: Date, enough: Date): Promise<void> {
    await this.kernel.database.query(this.#sql.renewMark, [key, until, enough, new Date(this.kernel.clock.now())]);
  }
}
