import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import type { RateLimit } from '../settings/rate-limit.js';
import { COUNTER_ENTITY } from './counter.entity.js';
import { counterStatements } from './counter-statements.js';

/** The state of a counter. */
export interface Count {
  readonly count: number;
  /** Seconds until the counter is reset. */
  readonly wait: number;
}

/** A counter and its limit. */
export interface LimitedCounter {
  readonly key: string;
  readonly limit: RateLimit;
  /** True: the counter is used only if the mark is set, and `reserve` does not apply its limit. */
  readonly needsMark?: boolean;
}

/** The result of `Counters.reserve`. */
export interface Reservation {
  /** Keys of the counters that include the attempt. Empty if it was refused. */
  readonly counted: readonly string[];
  /** Seconds after which to retry. Undefined: the attempt is allowed. */
  readonly retryAfter?: number;
  /** Whether the mark is set. */
  readonly isMarked: boolean;
}

interface CounterRow {
  readonly key: string;
  readonly isCounted: boolean;
  readonly isReached: boolean;
  /** Seconds until the counter is reset. */
  readonly wait: number;
  readonly isMarked: boolean;
}

/**
 * The counters of all rate limits, in PostgreSQL, shared by all servers. Each operation counts in one statement, so
 * that parallel events are all counted. Keys are keyed hashes: the table does not reveal what a row is about.
 *
 * A row can also be a mark: a flag that is set until `resetsAt`, such as "this network is known". Its count stays 0.
 */
export class Counters {
  readonly #sql: ReturnType<typeof counterStatements>;

  constructor(
    protected readonly kernel: { readonly database: Database; readonly orm: MikroORM; readonly clock: Clock },
  ) {
    this.#sql = counterStatements(Table.named(kernel.orm, COUNTER_ENTITY));
  }

  /** Counts one event. @param seconds how long after its first event a counter is reset */
  async count(key: string, seconds: number, em?: EntityManager): Promise<Count> {
    const now = this.kernel.clock.now();
    const parameters = [key, new Date(now + seconds * 1000), new Date(now)];
    const [row] = await this.kernel.database.query<Count>(this.#sql.count, parameters, em);
    return row ?? { count: 0, wait: 0 };
  }

  /** Counts an attempt in all counters, or in none if a limit is reached. @param mark key of the mark */
  async reserve(counters: readonly LimitedCounter[], mark?: string): Promise<Reservation> {
    if (counters.length === 0) return { counted: [], isMarked: false };
    const now = this.kernel.clock.now();
    const rows = await this.kernel.database.query<CounterRow>(this.#sql.reserve, [
      counters.map(({ key }) => key),
      counters.map(({ limit }) => new Date(now + limit.seconds * 1000)),
      counters.map(({ limit }) => limit.count),
      counters.map(({ needsMark = false }) => needsMark),
      mark ?? null,
      new Date(now),
    ]);
    const counted = rows.filter(({ isCounted }) => isCounted).map(({ key }) => key);
    const reached = rows.filter(({ isReached }) => isReached);
    const isMarked = rows.some((row) => row.isMarked);
    if (reached.length === 0) return { counted, isMarked };
    await this.release(counted); // a refused attempt must not count for the other limits
    return { counted: [], isMarked, retryAfter: Math.max(1, ...reached.map(({ wait }) => Math.ceil(wait))) };
  }

  /** Subtracts one attempt from each of these counters. */
  async release(keys: readonly string[]): Promise<void> {
    await this.succeed(keys, []);
  }

  /** Subtracts a successful attempt from the `counted` counters, and resets the `cleared` ones. */
  async succeed(counted: readonly string[], cleared: readonly string[]): Promise<void> {
    const keys = [...new Set([...counted, ...cleared])];
    if (keys.length > 0) await this.kernel.database.query(this.#sql.release, [keys, cleared]);
  }

  /** Sets a mark until an instant. Does nothing if the mark is already set until `enough` or longer. */
  async mark(key: string, until: Date, enough: Date, em?: EntityManager): Promise<void> {
    await this.kernel.database.query(this.#sql.mark, [key, until, enough], em);
  }

  /** Sets a mark until an instant, unless it is set already. @returns whether this call has set it */
  async markOnce(key: string, until: Date, em?: EntityManager): Promise<boolean> {
    const now = new Date(this.kernel.clock.now());
    return (await this.kernel.database.query(this.#sql.markOnce, [key, until, now], em)).length > 0;
  }

  /** Prolongs a mark that is set. Does nothing if it is set until `enough` or longer, or is not set any more. */
  async renewMark(key: string, until: Date, enough: Date): Promise<void> {
    await this.kernel.database.query(this.#sql.renewMark, [key, until, enough, new Date(this.kernel.clock.now())]);
  }
}
