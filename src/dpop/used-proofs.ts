import type { KeyObject } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Counters } from '../limits/counters.js';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';
import { keyedHash } from '../secrets/keyed-hash.js';
import { MAX_SKEW_MS, type Proof } from './proof.js';

const MINUTE_MS = 60_000;

/**
 * Remembers proofs until they expire, so that each is used once. The proofs of refreshes are not here: the row of the
 * session has them (`SessionStore.rotate`).
 */
export class UsedProofs {
  readonly #key: KeyObject;
  /** The proofs that requests of this server have used up, except in a transaction, which may be rolled back. */
  readonly #ofRequests = new WeakSet<Proof>();
  /** The proofs that safe requests of this server have used up here. */
  readonly #ofReads = new WeakSet<Proof>();
  /** The proofs that this server has accepted with access tokens, by the minute of their end. */
  readonly #here = new Map<number, Set<string>>();

  constructor(
    private readonly kernel: {
      readonly counters: Counters;
      readonly encryption: EncryptionKeys;
      readonly clock: Clock;
    },
  ) {
    this.#key = kernel.encryption.hashKey('dpop proofs');
  }

  /**
   * Uses a proof up, for all servers. Writes one row. The same object, which is the proof of one request, can be used
   * again unless it was used up with an `em`.
   *
   * @param em the transaction. If it is rolled back, the proof is not used up
   * @returns false if it was used before
   */
  async use(proof: Proof, em?: EntityManager): Promise<boolean> {
    if (this.#ofRequests.has(proof)) return true;
    const { counters } = this.kernel;
    const until = new Date(proof.expiresAt + MAX_SKEW_MS);
    const isFirstUse = await counters.markOnce(keyedHash(this.#key, [proof.id]), until, em);
    if (isFirstUse && !em) this.#ofRequests.add(proof);
    return isFirstUse;
  }

  /**
   * Uses a proof up, for this server and in memory only. The same object can be used again.
   *
   * @returns false if it was used here before
   */
  useHere(proof: Proof): boolean {
    if (this.#ofReads.has(proof)) return true;
    const { id, expiresAt } = proof;
    const minute = Math.ceil(expiresAt / MINUTE_MS);
    const now = this.kernel.clock.now() / MINUTE_MS;
    for (const ended of [...this.#here.keys()].filter((each) => each < now)) this.#here.delete(ended);
    const used = this.#here.get(minute) ?? new Set();
    this.#here.set(minute, used);
    if (used.has(id)) return false;
    used.add(id);
    this.#ofReads.add(proof);
    return true;
  }
}
