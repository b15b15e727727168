import { createHmac, type KeyObject } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { authError } from '../error-table.js';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';
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
    const key = createHmac('sha256', this.#key).update(JSON.stringify(name)).digest('base64url');
    return this.#counters.count(key, seconds, em);
  }
}

/** @throws too_many_requests if a counter is over its limit */
export function throwIfOver({ count, wait }: Count, limit: { readonly count: number }): void {
  if (count <= limit.count) return;
  throw authError('too_many_requests', { retryAfter: Math.max(1, Math.ceil(wait)) });
}
