import { createHmac, type KeyObject } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { authError } from '../error-table.js';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';
import type { Count, Counters } from './counters.js';

/** Counts events by what they are about, which nobody can read from the table. */
export class EventCounters {
  readonly #counters: Counters;
  /** Hides what the rows are about. */
  readonly #key: KeyObject;

  constructor({ counters, encryption }: { readonly counters: Counters; readonly encryption: EncryptionKeys }) {
    this.#counters = counters;
    this.#key = encryption.hashKey('mail limits');
  }

  /**
   * Counts one more event.
   *
   * @param name what is counted together
   * @param seconds after which the count starts anew
   */
  async count(name: readonly unknown[], seconds: number, em?: EntityManager): Promise<Count> {
    const key = createHmac('sha256', this.#key).update(JSON.stringify(name)).digest('base64url');
    return this.#counters.count(key, seconds, em);
  }
}

/** Refuses an event that is one too many. @throws too_many_requests */
export function throwIfOver({ count, wait }: Count, limit: { readonly count: number }): void {
  if (count <= limit.count) return;
  throw authError('too_many_requests', { retryAfter: Math.max(1, Math.ceil(wait)) });
}
