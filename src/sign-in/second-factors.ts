import type { KeyObject } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { authError } from '../error-table.js';
import type { Counters, LimitedCounter } from '../limits/counters.js';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';
import { keyedHash } from '../secrets/keyed-hash.js';
import type { SessionOwner } from '../sessions/session-store.js';
import type { RateLimit } from '../settings/rate-limit.js';
import type { Accounts } from '../users/accounts.js';
import type { UserId } from '../users/base-user.entity.js';
import type { Challenges } from './challenges.js';
import { isRefusal } from './refusal.js';
import type { SecondFactor, TakenBack } from './second-factor.js';
import type { SignInAttempt } from './sign-in-attempt.js';

/** Decides whether a sign-in needs a second factor, and limits wrong answers. Without modules it has no factors. */
export class SecondFactors {
  readonly #factors: SecondFactor[] = [];
  /** Makes the keyed hashes of users. With another key, all counters are reset. */
  readonly #key: KeyObject;

  constructor(
    protected readonly kernel: {
      readonly counters: Counters;
      readonly encryption: EncryptionKeys;
      readonly challenges: Challenges;
      readonly accounts: Accounts;
    },
  ) {
    this.#key = kernel.encryption.hashKey('second factor limits');
  }

  /** Adds a kind of second factor. Call it only during start-up. */
  add(factor: SecondFactor): void {
    this.#factors.push(factor);
  }

  /** Whether an app has second factors. */
  get isInUse(): boolean {
    return this.#factors.length > 0;
  }

  /**
   * Whether a user has a second factor that a sign-in must ask for. A factor whose module this app lacks counts as one:
   * a server that cannot ask for it must not sign its users in without it.
   *
   * @param owned the names of the user's second factors (`SessionOwner.secondFactors`)
   */
  isAskedOf(owned: readonly string[]): boolean {
    return owned.some((name) => {
      const factor = this.#factors.find((each) => each.name === name);
      return !factor || factor.isAlwaysAsked || this.#isRequired;
    });
  }

  /**
   * How many credentials of one kind a user has (`SecondFactor.countOf`). 0 if this app does not have the kind.
   *
   * @param name the name of the `SecondFactor`
   */
  async countOf(name: string, user: UserId): Promise<number> {
    const factor = this.#factors.find((each) => each.name === name);
    return (await factor?.countOf?.(user)) ?? 0;
  }

  /**
   * Passes a sign-in that has a second factor or needs none. Otherwise stores a challenge, in the transaction of the
   * attempt.
   *
   * @throws second_factor_required with the challenge; an Error if this app has no module of the user's factors, or if
   * the account state names only factors whose credentials are not stored; incorrect_credentials if the factors have
   * changed meanwhile
   */
  async assertProved(attempt: SignInAttempt, owner: SessionOwner): Promise<void> {
    if (attempt.amr.includes('mfa')) return;
    if (this.isAskedOf(owner.secondFactors)) {
      const owned = this.#factors.filter(({ name }) => owner.secondFactors.includes(name));
      if (owned.length === 0) throw new Error(`no module of this app can ask for ${owner.secondFactors.join(' or ')}`);
      const methods = await Promise.all(owned.map((factor) => factor.methodsOf(attempt.user.id, attempt.em)));
      if (methods.flat().length === 0) throw await this.#refusalWithoutMethods(attempt, owner);
      throw await this.kernel.challenges.issue(attempt, owner, methods.flat());
    }
    const setup = this.#factors.flatMap(({ setupMethod = [] }) => setupMethod);
    if (setup.length > 0) throw await this.kernel.challenges.issue(attempt, owner, setup);
  }

  /** The refusal of a sign-in that must be asked for a second factor, which the user cannot have any more. */
  async #refusalWithoutMethods({ user, em }: SignInAttempt, { secondFactors }: SessionOwner): Promise<Error> {
    const current = await this.kernel.accounts.secondFactorsOf(user.id, em);
    if (secondFactors.some((name) => !current.includes(name))) return authError('incorrect_credentials');
    return new Error(`the account has the second factor ${secondFactors.join(' and ')}, but no credentials of it`);
  }

  /**
   * Removes the second factors that a stranger may have set up, when the owner of the mailbox takes the account back.
   * Call it in a transaction that has locked the user's row.
   */
  async removeSince(user: UserId, takenBack: TakenBack, em: EntityManager): Promise<void> {
    for (const factor of this.#factors) await factor.removeSince(user, takenBack, em);
  }

  /**
   * Runs the check of a second factor if the user's limits allow another wrong answer. The attempt is counted first, so
   * that parallel guesses are all counted. It is subtracted again unless the answer was wrong.
   *
   * @param isWrong whether an error of `check` means that the answer was wrong. Default: its status is 400 to 499
   * @throws too_many_requests, and what `check` throws
   */
  async attempt<T>(user: UserId, check: () => Promise<T>, isWrong = isRefusal): Promise<T> {
    const { counted, retryAfter } = await this.kernel.counters.reserve(this.#countersOf(user));
    if (retryAfter !== undefined) {
      const detail = 'There were too many wrong answers; try again later.';
      throw authError('too_many_requests', { detail, retryAfter });
    }
    // If this fails, the caller still gets the result of the check, and the attempt stays counted.
    const release = () => this.kernel.counters.release(counted).catch(() => {});
    try {
      const result = await check();
      await release();
      return result;
    } catch (error) {
      if (!isWrong(error)) await release();
      throw error;
    }
  }

  get #isRequired(): boolean {
    return this.#factors.some(({ setupMethod }) => setupMethod !== undefined);
  }

  #countersOf(user: UserId): LimitedCounter[] {
    const limits = this.#factors.flatMap((factor) => factor.limits);
    const keyOf = ({ count, seconds }: RateLimit) => keyedHash(this.#key, [String(user), count, seconds]);
    // Second factors with the same limit share its counter.
    return [...new Map(limits.map((limit) => [keyOf(limit), limit]))].map(([key, limit]) => ({ key, limit }));
  }
}
