import type { KeyObject } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { ErrorCode, JwtAllauthError } from '../error.js';
import { authError, serviceUnavailable } from '../error-table.js';
import type { Counters, LimitedCounter } from '../limits/counters.js';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';
import { keyedHash } from '../secrets/keyed-hash.js';
import type { ClientNetworks } from '../sessions/client-networks.js';
import type { KnownNetworks, KnownOwner } from '../sessions/known-networks.js';
import { limitsWithoutAddress, type RateLimit } from '../settings/rate-limit.js';
import type { Settings } from '../settings/settings.js';
import { normalizeEmail } from '../users/email.js';

/** Maximum number of attempts in one queue: for one account from one client network, or for one session. */
const MAX_WAITING = 64;

/** A sign-in attempt. The account may not exist. */
export interface LoginAttempt {
  readonly email: string;
  /** Express's `req.ip`. */
  readonly ip: string | undefined;
}

/** An attempt that the general limits have refused. */
class Refusal {
  constructor(
    /** Seconds after which to retry. */
    readonly retryAfter: number,
    /** The counters of the known network. Empty if the network is not known. */
    readonly forKnownNetwork: readonly LimitedCounter[],
  ) {}
}

/**
 * Limits how often passwords can be guessed, over all servers (LOGIN_RATE_LIMIT). Every attempt is counted before the
 * password is checked, so that parallel guesses are all counted. It is subtracted again if it was not a failure.
 *
 * Sign-ins are counted by e-mail address and client network, whether or not the account exists. When a limit is
 * reached, the owner can still sign in from a network where they have opened a session before (`KnownNetworks`). Such a
 * network has separate counters. A wrong password from there then gets the same answer as the reached limit, so that a
 * client in that network cannot find out whether the password was checked.
 */
export class LoginLimiter {
  /** Minimum time of a refusal, in milliseconds. It hides whether the password was checked. */
  protected readonly refusalMilliseconds: number = 300;
  /**
   * Makes the keyed hashes of accounts and networks, so that addresses cannot be read or guessed from the table. With
   * another key, all counters are reset.
   */
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
   * Finds the account, and calls `guess` to check the password if the limits allow another failure. If `guess` returns
   * undefined, the password was wrong and the attempt stays counted. If it throws, the attempt is not counted.
   *
   * @throws too_many_requests, incorrect_credentials; service_unavailable if too many attempts wait for the same
   * account
   */
  async attempt<T, U extends KnownOwner>(
    who: LoginAttempt,
    find: () => Promise<U | undefined>,
    guess: (owner: U | undefined) => Promise<T | undefined>,
  ): Promise<T> {
    const startedAt = performance.now();
    const network = this.kernel.clientNetworks.of(who.ip);
    let owner: U | undefined;
    const attempt = async () => {
      owner = await find();
      return this.#attempt(who, network, owner, () => guess(owner));
    };
    // Clients without an address are not queued: unrelated clients would wait for each other.
    const isUnqueued = this.kernel.settings.loginRateLimit.length === 0 || network === undefined;
    const outcome = await (isUnqueued ? attempt() : this.#inTurn(this.#keyOf(who, 'account+ip', 'turn'), attempt));
    if (!(outcome instanceof Refusal)) return outcome;
    const result = await this.#tryKnownNetwork(outcome, () => guess(owner));
    if (result !== undefined) return result;
    await setTimeout(Math.max(0, startedAt + this.refusalMilliseconds - performance.now()));
    throw tooManyAttempts(outcome.retryAfter);
  }

  /**
   * Like `attempt`, for a signed-in user who must confirm the password. Guesses are counted for the session only, so
   * that strangers cannot use up its limit.
   *
   * @throws too_many_requests, incorrect_credentials; service_unavailable if too many attempts wait for the same
   * session
   */
  async attemptSignedIn<T>(session: string, guess: () => Promise<T | undefined>): Promise<T> {
    const counters = this.#countersOf(this.kernel.settings.loginRateLimit, ['session', session]);
    return this.#inTurn(`session ${session}`, async () => {
      const { counted, retryAfter } = await this.kernel.counters.reserve(counters);
      if (retryAfter !== undefined) throw tooManyAttempts(retryAfter);
      return this.#guess(counted, clearedKeys(counters), guess);
    });
  }

  /** Runs attempts with the same key one after another, so that parallel right passwords do not reach the limit. */
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
    const general = (network === undefined ? limitsWithoutAddress(limits) : limits).map((limit) => {
      return { limit, key: this.#keyOf(who, limit.scope, limit.seconds) };
    });
    const knownKey = this.kernel.knownNetworks.keyOf(owner, who.ip);
    const forKnownNetwork = knownKey === undefined ? [] : this.#countersOfKnownNetwork(knownKey);
    const { counted, retryAfter, isMarked } = await this.kernel.counters.reserve(
      [...general, ...forKnownNetwork],
      knownKey,
    );
    if (retryAfter !== undefined) return new Refusal(retryAfter, isMarked ? forKnownNetwork : []);
    return this.#guess(counted, [...clearedKeys(general), ...forKnownNetwork.map(({ key }) => key)], guess);
  }

  /** Checks the password of a refused attempt if the counters of its known network allow it. Undefined: refused. */
  async #tryKnownNetwork<T>({ forKnownNetwork }: Refusal, guess: () => Promise<T | undefined>): Promise<T | undefined> {
    if (forKnownNetwork.length === 0) return undefined;
    const { counted, retryAfter } = await this.kernel.counters.reserve(
      forKnownNetwork.map(({ key, limit }) => ({ key, limit })),
    );
    if (retryAfter !== undefined) return undefined;
    try {
      return await this.#guess(counted, counted, guess);
    } catch (error) {
      // Any other answer would reveal that the password was to be checked, even that the queue of hashes is full.
      const isMasked = error instanceof JwtAllauthError && MASKED_CODES.includes(error.code);
      if (isMasked) return undefined;
      throw error;
    }
  }

  /** Checks the password of a counted attempt. */
  async #guess<T>(
    counted: readonly string[],
    cleared: readonly string[],
    guess: () => Promise<T | undefined>,
  ): Promise<T> {
    let result: T | undefined;
    try {
      result = await guess();
    } catch (error) {
      // The failure may have left a broken connection in the pool. A second attempt gets another one.
      await this.kernel.counters.release(counted).catch(() => this.kernel.counters.release(counted));
      throw error;
    }
    if (result === undefined) throw authError('incorrect_credentials');
    await this.kernel.counters.succeed(counted, cleared);
    return result;
  }

  /**
   * The counters of a known network, for this account alone: limits of account and address, else of account, else of
   * ip.
   */
  #countersOfKnownNetwork(knownKey: string): LimitedCounter[] {
    const limits = (['account+ip', 'account', 'ip'] as const)
      .map((scope) => this.kernel.settings.loginRateLimit.filter((limit) => limit.scope === scope))
      .find(({ length }) => length > 0);
    return this.#countersOf(limits ?? [], ['known', knownKey]).map((counter) => ({ ...counter, needsMark: true }));
  }

  #countersOf(limits: readonly RateLimit[], subject: readonly string[]): LimitedCounter[] {
    return limits.map((limit) => ({ limit, key: keyedHash(this.#key, [...subject, limit.scope, limit.seconds]) }));
  }

  #keyOf({ email, ip }: LoginAttempt, scope: RateLimit['scope'], purpose: number | 'turn'): string {
    const parts = { account: normalizeEmail(email), ip: this.kernel.clientNetworks.of(ip) };
    return keyedHash(this.#key, [purpose, scope.split('+').map((part) => [part, parts[part as keyof typeof parts]])]);
  }
}

/** Errors of a password check that get the answer of a refusal, if a limit had refused the attempt before. */
const MASKED_CODES: readonly string[] = [
  ErrorCode.IncorrectCredentials,
  ErrorCode.EmailNotVerified,
  ErrorCode.ServiceUnavailable,
];

/** Keys of the counters that a success resets. */
function clearedKeys(counters: readonly LimitedCounter[]): string[] {
  return counters.filter(({ limit }) => limit.scope === 'account+ip').map(({ key }) => key);
}

function tooManyAttempts(retryAfter: number): JwtAllauthError {
  const detail = 'There were too many failed attempts; try again later.';
  return authError('too_many_requests', { detail, retryAfter });
}
