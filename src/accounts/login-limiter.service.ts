import { createHmac, type KeyObject } from 'node:crypto';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { ErrorCode, incorrectCredentials, JwtAllauthError, serviceUnavailable } from '../error.js';
import { limitsWithoutAddress, type RateLimit } from '../settings/rate-limit.js';
import type { Settings } from '../settings/settings.js';
import { normalizeEmail } from '../users/email.js';
import type { ClientNetworks } from './client-networks.js';
import { LOGIN_ATTEMPT_ENTITY } from './login-attempt.entity.js';

/** Milliseconds for which an account's owner is known at an address after a login from there. */
const KNOWN_FOR = 30 * 86_400_000;

/** Attempts for one account at one address that may wait for their turn. */
const WAITING = 64;

/** Who tries to sign in, whether or not there is such an account. */
export interface LoginAttempt {
  readonly email: string;
  /** Express's `req.ip`. */
  readonly ip: string | undefined;
}

interface CounterRow {
  readonly key: string;
  /** Whether this attempt was added to the counter. */
  readonly isCounted: boolean;
  readonly isReached: boolean;
  /** Seconds until the count starts anew. */
  readonly wait: number;
}

/** A counter that may apply. */
interface Counter {
  readonly limit: RateLimit;
  readonly key: string;
  /** What is counted instead where the owner is known at the address; null: nothing. */
  readonly keyIfKnown: string | null;
}

/**
 * Bounds how often passwords can be guessed, over all servers. Every attempt is counted before the password is looked at,
 * so that parallel guesses cannot slip past, and taken back when it was no failure.
 */
export class LoginLimiter {
  readonly #sql: ReturnType<typeof statements>;
  readonly #turns = new Map<string, { last: Promise<unknown>; waiting: number }>();

  constructor(
    private readonly database: Database,
    orm: MikroORM,
    private readonly settings: Settings,
    private readonly clock: Clock,
    /** Hides whom the rows are about. With another key, all counts start anew. */
    private readonly key: KeyObject,
    private readonly networks: ClientNetworks,
  ) {
    this.#sql = statements(Table.named(orm, LOGIN_ATTEMPT_ENTITY));
  }

  /**
   * Lets `guess` look at the password, if the limits allow one more failure. A guess that resolves to undefined was wrong
   * and stays counted; one that throws does not count.
   *
   * @throws too_many_requests, incorrect_credentials; service_unavailable when too many wait for the same account
   */
  async attempt<T>(who: LoginAttempt, guess: () => Promise<T | undefined>): Promise<T> {
    // Clients without an address have nothing in common: none may keep another from its turn.
    const isApart = this.settings.loginRateLimit.length === 0 || this.networks.of(who.ip) === undefined;
    if (isApart) return this.#attempt(who, guess);
    return this.#inTurn(this.#keyOf(who, 'account+ip', 'turn'), () => this.#attempt(who, guess));
  }

  /** One attempt for an account at an address at a time: right passwords in parallel are not taken for guesses. */
  async #inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const { last = Promise.resolve(), waiting = 0 } = this.#turns.get(key) ?? {};
    if (waiting >= WAITING) throw serviceUnavailable();
    const turn = last.then(work);
    const queue = { last: turn.catch(() => {}), waiting: waiting + 1 };
    this.#turns.set(key, queue);
    try {
      return await turn;
    } finally {
      const current = this.#turns.get(key);
      if (current === queue) this.#turns.delete(key);
      else if (current) current.waiting--;
    }
  }

  async #attempt<T>(who: LoginAttempt, guess: () => Promise<T | undefined>): Promise<T> {
    const counters = this.#countersOf(who);
    const counted = await this.#reserve(who, counters);
    let result: T | undefined;
    try {
      result = await guess();
    } catch (error) {
      // What failed the guess may have left a dead connection in the pool: the second try gets another.
      await this.#release(counted).catch(() => this.#release(counted));
      throw error;
    }
    if (result === undefined) throw incorrectCredentials();
    await this.#recordSuccess(who, counters, counted);
    return result;
  }

  /**
   * The counters that may apply. The limit of an account over all addresses leaves out those where its owner was seen lately:
   * else a stranger's guesses, from any number of addresses, would lock the owner out. Where nothing else bounds the guesses
   * from such an address, it is counted by itself.
   */
  #countersOf(who: LoginAttempt): Counter[] {
    if (this.networks.of(who.ip) === undefined) {
      return limitsWithoutAddress(this.settings.loginRateLimit).map((limit) => {
        const key = this.#keyOf(who, limit.scope, limit.seconds);
        return { limit, key, keyIfKnown: key };
      });
    }
    const limits = this.settings.loginRateLimit;
    const isBoundElsewhere = limits.some(({ scope }) => scope === 'account+ip');
    return limits.map((limit) => {
      const key = this.#keyOf(who, limit.scope, limit.seconds);
      if (limit.scope !== 'account') return { limit, key, keyIfKnown: key };
      return { limit, key, keyIfKnown: isBoundElsewhere ? null : this.#keyOf(who, 'account+ip', limit.seconds) };
    });
  }

  /** Counts one more failure everywhere, or nowhere if a limit is reached. Returns the keys that were counted. */
  async #reserve(who: LoginAttempt, counters: readonly Counter[]): Promise<string[]> {
    if (counters.length === 0) return [];
    const now = this.clock.now();
    const rows = await this.database.query<CounterRow>(this.#sql.reserve, [
      counters.map(({ key }) => key),
      counters.map(({ keyIfKnown }) => keyIfKnown),
      counters.map(({ limit }) => new Date(now + limit.seconds * 1000)),
      counters.map(({ limit }) => limit.count),
      this.#keyOf(who, 'account+ip', 'known'),
      new Date(now),
    ]);
    const counted = rows.filter(({ isCounted }) => isCounted).map(({ key }) => key);
    const reached = rows.filter(({ isReached }) => isReached);
    if (reached.length === 0) return counted;
    await this.#release(counted); // a refused attempt is no failure: it must not use up the other limits
    const retryAfter = Math.max(1, ...reached.map(({ wait }) => Math.ceil(wait)));
    const detail = 'There were too many failed attempts; try again later.';
    throw new JwtAllauthError(ErrorCode.TooManyRequests, 429, detail, { retryAfter });
  }

  async #release(keys: readonly string[]): Promise<void> {
    if (keys.length > 0) await this.database.query(this.#sql.release, [keys]);
  }

  /** A keyed hash, so that nobody reads or guesses addresses from the table. */
  #keyOf({ email, ip }: LoginAttempt, scope: RateLimit['scope'], purpose: number | 'known' | 'turn'): string {
    const parts = { account: normalizeEmail(email), ip: this.networks.of(ip) };
    const named = scope.split('+').map((part) => [part, parts[part as keyof typeof parts]]);
    return createHmac('sha256', this.key)
      .update(JSON.stringify([purpose, named]))
      .digest('base64url');
  }

  /** A success costs nothing, clears the pair, and makes the owner known at this address. */
  async #recordSuccess(who: LoginAttempt, counters: readonly Counter[], counted: readonly string[]): Promise<void> {
    if (counters.length === 0) return;
    const pairs = counters.filter(({ limit }) => limit.scope === 'account+ip').map(({ key }) => key);
    const now = this.clock.now();
    const isPlace = this.networks.of(who.ip) !== undefined; // where there is no address nobody is known
    const known = [isPlace ? this.#keyOf(who, 'account+ip', 'known') : null, new Date(now + KNOWN_FOR)];
    await this.database.query(this.#sql.succeed, [counted, pairs, ...known, new Date(now)]);
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
      with counter as (
        select case when exists (select from ${name} where ${key} = $5 and ${resetsAt} > $6) then known else usual end as k,
          ends, most
        from unnest($1::text[], $2::text[], $3::timestamptz[], $4::int[]) as given (usual, known, ends, most)
      ), reached as (
        select k, a.${resetsAt} as ends from ${name} a join counter on a.${key} = k
        where a.${resetsAt} > $6 and a.${failures} >= most
      ), counted as (
        insert into ${name} as a (${key}, ${failures}, ${resetsAt})
        select k, 1, ends from counter where k is not null and not exists (select from reached) order by k
        on conflict (${key}) do update set
          ${failures} = case when a.${resetsAt} <= $6 then 1 else a.${failures} + 1 end,
          ${resetsAt} = case when a.${resetsAt} <= $6 or a.${failures} = 0 then excluded.${resetsAt} else a.${resetsAt} end
        returning a.${key} as k, a.${failures} as failures, a.${resetsAt} as ends
      )
      select k as key, false as "isCounted", true as "isReached", extract(epoch from ends - $6)::float8 as wait from reached
      union all
      select counted.k, true, counted.failures > most, extract(epoch from counted.ends - $6)::float8
      from counted join counter on counter.k = counted.k`,
    release: `
      with taken as (select ${key} from ${name} where ${key} = any($1::text[]) order by ${key} for update)
      update ${name} a set ${failures} = greatest(a.${failures} - 1, 0) from taken where a.${key} = taken.${key}`,
    succeed: `
      insert into ${name} as a (${key}, ${failures}, ${resetsAt})
      select k, 0, case when k = $3 then $4::timestamptz else $5::timestamptz end
      from unnest($1::text[] || $3::text) as given (k) where k is not null order by k
      on conflict (${key}) do update set
        ${failures} = case when a.${key} = any($2::text[]) then 0 else greatest(a.${failures} - 1, 0) end,
        ${resetsAt} = case when a.${key} = $3 then excluded.${resetsAt} else a.${resetsAt} end`,
  };
}
