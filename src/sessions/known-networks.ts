import { createHmac, type KeyObject } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Counters } from '../limits/counters.js';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';
import type { Settings } from '../settings/settings.js';
import type { UserId } from '../users/base-user.entity.js';
import { clientNetwork } from './client-network.js';

const DAY_MS = 86_400_000;

/** Milliseconds for which a network is known after a session was opened there, or refreshed. */
const KNOWN_FOR_MS = 30 * DAY_MS;

/** A user and the password that the user has now. */
export interface KnownOwner {
  readonly id: UserId;
  readonly passwordHash?: string | null;
}

/**
 * Remembers the networks where users have opened a session, so that the guesses of strangers cannot keep them out
 * there. The rows are keyed by user and password hash: with any other password no network is known.
 */
export class KnownNetworks {
  /** Hides whom the rows are about. */
  readonly #key: KeyObject;

  constructor(
    protected readonly kernel: {
      readonly counters: Counters;
      readonly settings: Settings;
      readonly clock: Clock;
      readonly encryption: EncryptionKeys;
    },
  ) {
    this.#key = kernel.encryption.hashKey('known networks');
  }

  /**
   * The key of the row that says that a network is known. For a user without a password, or nobody, it is the key of no
   * row; undefined for a client without an address.
   */
  keyOf(owner: KnownOwner | undefined, ip: string | undefined): string | undefined {
    const network = clientNetwork(ip);
    if (network === undefined) return undefined;
    const parts = [String(owner?.id ?? ''), owner?.passwordHash ?? '', network];
    return createHmac('sha256', this.#key).update(JSON.stringify(parts)).digest('base64url');
  }

  /** Makes the network known from which a session was opened. Most of the time it is, and nothing is written. */
  async remember(owner: KnownOwner, ip: string | undefined, em?: EntityManager): Promise<void> {
    const key = this.#keyToStore(owner, ip);
    if (key) await this.kernel.counters.mark(key, ...this.#dates(), em);
  }

  /** Keeps a network known where the user has a session. One that is not known does not become so. */
  async renew(owner: KnownOwner, ip: string | undefined): Promise<void> {
    const key = this.#keyToStore(owner, ip);
    if (key) await this.kernel.counters.renewMark(key, ...this.#dates());
  }

  #keyToStore(owner: KnownOwner, ip: string | undefined): string | undefined {
    const isUseful = this.kernel.settings.loginRateLimit.length > 0 && owner.passwordHash;
    return isUseful ? this.keyOf(owner, ip) : undefined;
  }

  /** Until when the network is known, and the date before which a row is renewed: at most once a day. */
  #dates(): [Date, Date] {
    const until = this.kernel.clock.now() + KNOWN_FOR_MS;
    return [new Date(until), new Date(until - DAY_MS)];
  }
}
