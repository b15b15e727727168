import type { MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { LOGIN_ATTEMPT_ENTITY } from '../limits/login-attempt.entity.js';
import type { RateLimit } from '../settings/rate-limit.js';

/** A counter of failed logins, and its limit. */
export interface LoginCounter {
  readonly key: string;
  readonly limit: RateLimit;
  /** True: counted only where the network is known, and refuses nothing here. */
  readonly isOwn?: boolean;
}

/** What became of an attempt that was to be counted. */
export interface Reservation {
  /** The counters to which the attempt was added: none if it was refused. */
  readonly counted: readonly string[];
  /** Seconds after which to try again; undefined: the attempt may be made. */
  readonly retryAfter?: number;
  /** Whether the owner is known at the network. */
  readonly isKnown: boolean;
}

interface CounterRow {
  readonly key: string;
  readonly isCounted: boolean;
  readonly isReached: boolean;
  /** Seconds until the count starts anew. */
  readonly wait: number;
  readonly isKnown: boolean;
}

/** The counters of failed logins in PostgreSQL, which all servers share. */
export class LoginCounters {
  readonly #sql: ReturnType<typeof statements>;

  constructor(
    private readonly database: Database,
    orm: MikroORM,
    private readonly clock: Clock,
  ) {
    this.#sql = statements(Table.named(orm, LOGIN_ATTEMPT_ENTITY));
  }

  /**
   * Counts one more failure everywhere, or nowhere if a limit is reached.
   *
   * @param knownKey key of the row that makes the network a known one
   */
  async reserve(counters: readonly LoginCounter[], knownKey?: string): Promise<Reservation> {
    if (counters.length === 0) return { counted: [], isKnown: false };
    const now = this.clock.now();
    const rows = await this.database.query<CounterRow>(this.#sql.reserve, [
      counters.map(({ key }) => key),
      counters.map(({ limit }) => new Date(now + limit.seconds * 1000)),
      counters.map(({ limit }) => limit.count),
      counters.map(({ isOwn = false }) => isOwn),
      knownKey ?? null,
      new Date(now),
    ]);
    const counted = rows.filter(({ isCounted }) => isCounted).map(({ key }) => key);
    const reached = rows.filter(({ isReached }) => isReached);
    const isKnown = rows.some((row) => row.isKnown);
    if (reached.length === 0) return { counted, isKnown };
    await this.release(counted); // a refused attempt is no failure: it must not use up the other limits
    return { counted: [], isKnown, retryAfter: Math.max(1, ...reached.map(({ wait }) => Math.ceil(wait))) };
  }

  /** Takes an attempt back that was no failure. */
  async release(keys: readonly string[]): Promise<void> {
    if (keys.length > 0) await this.database.query(this.#sql.release, [keys]);
  }

  /** Takes an attempt back that was a success, and starts some of the counters anew. */
  async succeed(counted: readonly string[], cleared: readonly string[]): Promise<void> {
    const keys = [...new Set([...counted, ...cleared])];
    if (keys.length > 0) await this.database.query(this.#sql.succeed, [keys, cleared]);
  }
}

function statements(attempts: Table) {
  const { name } = attempts;
  const key = attempts.column('key');
  const failures = attempts.column('failures');
  const resetsAt = attempts.column('resetsAt');
  // Rows are taken in the order of their keys everywhere, so that two attempts never wait for each other.
  return {
    reserve: `
      with known as (
        select exists (select from ${name} where ${key} = $5 and ${resetsAt} > $6) as yes
      ), counter as (
        select k, ends, most, own
        from unnest($1::text[], $2::timestamptz[], $3::int[], $4::bool[]) as given (k, ends, most, own), known
        where not own or known.yes
      ), reached as (
        select k, a.${resetsAt} as ends from ${name} a join counter on a.${key} = k
        where not own and a.${resetsAt} > $6 and a.${failures} >= most
      ), counted as (
        insert into ${name} as a (${key}, ${failures}, ${resetsAt})
        select k, 1, ends from counter where not exists (select from reached) order by k
        on conflict (${key}) do update set
          ${failures} = case when a.${resetsAt} <= $6 then 1 else a.${failures} + 1 end,
          ${resetsAt} = case
            when a.${resetsAt} <= $6 or a.${failures} = 0 then excluded.${resetsAt} else a.${resetsAt}
          end
        returning a.${key} as k, a.${failures} as failures, a.${resetsAt} as ends
      )
      select k as key, false as "isCounted", true as "isReached", extract(epoch from ends - $6)::float8 as wait,
        (select yes from known) as "isKnown"
      from reached
      union all
      select counted.k, true, not own and counted.failures > most, extract(epoch from counted.ends - $6)::float8,
        (select yes from known)
      from counted join counter on counter.k = counted.k`,
    release: `
      with taken as (select ${key} from ${name} where ${key} = any($1::text[]) order by ${key} for update)
      update ${name} a set ${failures} = greatest(a.${failures} - 1, 0) from taken where a.${key} = taken.${key}`,
    succeed: `
      with taken as (select ${key} from ${name} where ${key} = any($1::text[]) order by ${key} for update)
      update ${name} a
      set ${failures} = case when a.${key} = any($2::text[]) then 0 else greatest(a.${failures} - 1, 0) end
      from taken where a.${key} = taken.${key}`,
  };
}
