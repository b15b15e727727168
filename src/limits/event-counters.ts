import type { KeyObject } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { authError } from '../error-table.js';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';
import { keyedHash } from '../secrets/keyed-hash.js';
import type { RateLimit } from '../settings/rate-limit.js';
import type { Count, Counters } from './counters.js';

/** Counts events under names. The table contains only keyed hashes of the names. */
export class EventCounters {
  readonly #counters: Counters;
  /** Makes the keyed hashes. */
  readonly #key: KeyObject;

  constructor({ counters, encryption }: { readonly counters: Counters; readonly encryption: EncryptionKeys }) {
    this.#counters = counters;
    this.#key = encryption.hashKey('mail limits');
  }

  /**
   * Counts one event.
   *
   * @param name events with the same name are counted together
   * @param seconds how long after its first event a counter is reset
   */
  async count(name: readonly unknown[], seconds: number, em?: EntityManager): Promise<Count> {
    return this.#counters.count(keyedHash(this.#key, name), seconds, em);
  }

  /**
   * Counts one request of a client network under each limit, before it is processed.
   *
   * @param network undefined: the client's address is not known, and nothing is counted
   * @throws too_many_requests
   */
  async countRequest(network: string | undefined, name: string, limits: readonly RateLimit[]): Promise<void> {
    if (network === undefined) return;
    // Shortest limit first: a request that it refuses does not count towards the longer ones.
    for (const limit of limits.toSorted((one, other) => one.seconds - other.seconds))
      throwIfOver(await this.count([name, limit.seconds, network], limit.seconds), limit);
  }
}

/** @throws too_many_requests if a counter is over its limit */
export function throwIfOver({ count, wait }: Count, limit: { readonly count: number }): void {
  if (count <= limit.count) return;
  throw authError('too_many_requests', { retryAfter: Math.max(1, Math.ceil(wait)) });
}
