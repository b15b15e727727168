import { createHmac, type KeyObject } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { ErrorCode, JwtAllauthError } from '../error.js';
import { authError, serviceUnavailable } from '../error-table.js';
import type { Counters, LimitedCounter } from '../limits/counters.js';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';
import type { ClientNetworks } from '../sessions/client-networks.js';
import type { KnownNetworks, KnownOwner } from '../sessions/known-networks.js';
import { limitsWithoutAddress, type RateLimit } from '../settings/rate-limit.js';
import type { Settings } from '../settings/settings.js';
import { normalizeEmail } from '../users/email.js';

/** Attempts for one account at one address that may wait for their turn. */
const MAX_WAITING = 64;

/** Who tries to sign in, whether or not there is such an account. */
export interface LoginAttempt {
  readonly email: string;
  /** Express's `req.ip`. */
  readonly ip: string | undefined;
}

/** An attempt that the limits for strangers refused. */
class Refusal {
  constructor(
    /** Seconds. */
    readonly retryAfter: number,
    readonly own: readonly LimitedCounter[],
  ) {}
}

/**
 * Bounds how often passwords can be guessed, over all servers. Every attempt is counted before the password is looked
 * at, so that parallel guesses cannot slip past, and taken back when it was no failure.
 *
 * Attempts to sign in are counted by e-mail address and network, whether or not there is such an account. When these
 * limits are used up, a right password is still accepted at a network where the owner has opened a session
 * (`KnownNetworks`), within counters of its own. A wrong one gets the answer of the used-up limit, so that nobody at
 * that network can tell whether a password was looked at.
 */
export class LoginLimiter {
  /** Milliseconds after which a refusal is answered: its time must not tell whether a password was looked at. */
  protected readonly refusalMilliseconds: number = 300;
  /** Hides whom the rows are about. With another key, all counts start anew. */
  readonly #key: KeyObject;
  readonly #turns = new Map<string, { last: Promise<unknown>; waiting: number }>();

  constructor(
    protected readonly kernel: {
      readonly counters: Counters;
      readonly settings: Settings;
      readonly clientNetworks: ClientNetworks;
      readonly knownNetworks: KnownNetworks;
      readonly encryption: EncryptionKeys;
    },
  ) {
    this.#key = kernel.encryption.hashKey('login limits');
  }

  /**
   * Finds the account and lets `guess` look at the password, if the limits allow one more failure. A guess that
   * resolves to undefined was wrong and stays counted; one that throws does not count.
   *
   * @throws too_many_requests, incorrect_credentials; service_unavailable when too many wait for the same account
   */
  async attempt<T, U extends KnownOwner>(
    who: LoginAttempt,
    find: () => Promise<U | undefined>,
    guess: (owner: U | undefined) => Promise<T | undefined>,
  ): Promise<T> {
    const began = performance.now();
    const network = this.kernel.clientNetworks.of(who.ip);
    let owner: U | undefined;
    const attempt = async () => {
      owner = await find();
      return this.#attempt(who, network, owner, () => guess(owner));
    };
    // Clients without an address have nothing in common: none may keep another from its turn.
    const isAlone = this.kernel.settings.loginRateLimit.length === 0 || network === undefined;
    const outcome = await (isAlone ? attempt() : this.#inTurn(this.#keyOf(who, 'account+ip', 'turn'), attempt));
    if (!(outcome instanceof Refusal)) return outcome;
    const result = await this.#tryOwnCounters(outcome, () => guess(owner));
    if (result !== undefined) return result;
    await setTimeout(Math.max(0, began + this.refusalMilliseconds - performance.now()));
    throw tooManyAttempts(outcome.retryAfter);
  }

  /**
   * The same for a user who is signed in, whose guesses are counted for the session alone: no stranger can use them up.
   *
   * @throws too_many_requests, incorrect_credentials; service_unavailable when too many wait for the same session
   */
  async attemptSignedIn<T>(session: string, guess: () => Promise<T | undefined>): Promise<T> {
    const counters = this.#countersOf(this.kernel.settings.loginRateLimit, ['session', session]);
    return this.#inTurn(`session ${session}`, async () => {
      const { counted, retryAfter } = await this.kernel.counters.reserve(counters);
      if (retryAfter !== undefined) throw tooManyAttempts(retryAfter);
      return this.#guess(counted, clearedKeys(counters), guess);
    });
  }

  /** One attempt for an account at an address at a time: right passwords in parallel are not taken for guesses. */
  async #inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const { last = Promise.resolve(), waiting = 0 } = this.#turns.get(key) ?? {};
    if (waiting >= MAX_WAITING) throw serviceUnavailable();
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

  async #attempt<T>(
    who: LoginAttempt,
    network: string | undefined,
    owner: KnownOwner | undefined,
    guess: () => Promise<T | undefined>,
  ): Promise<T | Refusal> {
    const limits = this.kernel.settings.loginRateLimit;
    const shared = (network === undefined ? limitsWithoutAddress(limits) : limits).map((limit) => {
      return { limit, key: this.#keyOf(who, limit.scope, limit.seconds) };
    });
    const knownKey = this.kernel.knownNetworks.keyOf(owner, who.ip);
    const own = knownKey === undefined ? [] : this.#ownCounters(knownKey);
    const { counted, retryAfter, isMarked } = await this.kernel.counters.reserve([...shared, ...own], knownKey);
    if (retryAfter !== undefined) return new Refusal(retryAfter, isMarked ? own : []);
    return this.#guess(counted, [...clearedKeys(shared), ...own.map(({ key }) => key)], guess);
  }

  /** Looks at the password of a refused attempt, if its own counters allow it. Undefined: wrong, or not looked at. */
  async #tryOwnCounters<T>({ own }: Refusal, guess: () => Promise<T | undefined>): Promise<T | undefined> {
    if (own.length === 0) return undefined;
    const { counted, retryAfter } = await this.kernel.counters.reserve(own.map(({ key, limit }) => ({ key, limit })));
    if (retryAfter !== undefined) return undefined;
    try {
      return await this.#guess(counted, counted, guess);
    } catch (error) {
      // Also when too many passwords wait for a look: another answer than the refusal would tell that this one did.
      const isMasked = error instanceof JwtAllauthError && MASKED_CODES.includes(error.code);
      if (isMasked) return undefined;
      throw error;
    }
  }

  /** Looks at the password of an attempt that was counted. */
  async #guess<T>(
    counted: readonly string[],
    cleared: readonly string[],
    guess: () => Promise<T | undefined>,
  ): Promise<T> {
    let result: T | undefined;
    try {
      result = await guess();
    } catch (error) {
      // What failed the guess may have left a dead connection in the pool: the second try gets another.
      await this.kernel.counters.release(counted).catch(() => this.kernel.counters.release(counted));
      throw error;
    }
    if (result === undefined) throw authError('incorrect_credentials');
    await this.kernel.counters.succeed(counted, cleared);
    return result;
  }

  /** What is counted at a known network: for this account alone, by the limits that come nearest to that. */
  #ownCounters(knownKey: string): LimitedCounter[] {
    const limits = (['account+ip', 'account', 'ip'] as const)
      .map((scope) => this.kernel.settings.loginRateLimit.filter((limit) => limit.scope === scope))
      .find(({ length }) => length > 0);
    return this.#countersOf(limits ?? [], ['known', knownKey]).map((counter) => ({ ...counter, isOwn: true }));
  }

  #countersOf(limits: readonly RateLimit[], whose: readonly string[]): LimitedCounter[] {
    return limits.map((limit) => ({ limit, key: this.#hash([...whose, limit.scope, limit.seconds]) }));
  }

  #keyOf({ email, ip }: LoginAttempt, scope: RateLimit['scope'], purpose: number | 'turn'): string {
    const parts = { account: normalizeEmail(email), ip: this.kernel.clientNetworks.of(ip) };
    return this.#hash([purpose, scope.split('+').map((part) => [part, parts[part as keyof typeof parts]])]);
  }

  /** A keyed hash, so that nobody reads or guesses addresses from the table. */
  #hash(parts: readonly unknown[]): string {
    return createHmac('sha256', this.#key).update(JSON.stringify(parts)).digest('base64url');
  }
}

/** Errors of a look at the password that must not show where a limit had refused the attempt. */
const MASKED_CODES: readonly string[] = [
  ErrorCode.IncorrectCredentials,
  ErrorCode.EmailNotVerified,
  ErrorCode.ServiceUnavailable,
];

/** The counters that a success starts anew. */
function clearedKeys(counters: readonly LimitedCounter[]): string[] {
  return counters.filter(({ limit }) => limit.scope === 'account+ip').map(({ key }) => key);
}

function tooManyAttempts(retryAfter: number): JwtAllauthError {
  const detail = 'There were too many failed attempts; try again later.';
  return authError('too_many_requests', { detail, retryAfter });
}
