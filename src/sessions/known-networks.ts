import type { KeyObject } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { type Clock, toSeconds } from '../clock.js';
import type { Counters } from '../limits/counters.js';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';
import { keyedHash } from '../secrets/keyed-hash.js';
import type { Settings } from '../settings/settings.js';
import type { TokenClaims } from '../tokens/claims.js';
import type { UserId } from '../users/base-user.entity.js';
import type { UserService } from '../users/user.service.js';
import { clientNetwork } from './client-network.js';
import type { SessionStore } from './session-store.js';

const DAY_MS = 86_400_000;

/** How long a network is known after a session was opened or refreshed there. */
const KNOWN_FOR_MS = 30 * DAY_MS;

/** A user with the current password hash. */
export interface KnownOwner {
  readonly id: UserId;
  readonly passwordHash?: string | null;
}

/**
 * Remembers the networks where users have opened a session, so that guesses of strangers cannot lock them out there.
 * The key of a row includes user and password hash: after a password change no network is known.
 */
export class KnownNetworks {
  /** Makes the keyed hashes. */
  readonly #key: KeyObject;

  constructor(
    protected readonly kernel: {
      readonly counters: Counters;
      readonly settings: Settings;
      readonly clock: Clock;
      readonly encryption: EncryptionKeys;
      readonly users: UserService;
      readonly sessionStore: SessionStore;
    },
  ) {
    this.#key = kernel.encryption.hashKey('known networks');
  }

  /**
   * The key of the row for a user and a network. For an unknown user, or one without a password, there is never such a
   * row. Undefined if the client's address is not known.
   */
  keyOf(owner: KnownOwner | undefined, ip: string | undefined): string | undefined {
    const network = clientNetwork(ip);
    if (network === undefined) return undefined;
    const parts = [String(owner?.id ?? ''), owner?.passwordHash ?? '', network];
    return keyedHash(this.#key, parts);
  }

  /** Remembers the network from which a session was opened. Writes at most once a day for each network of a user. */
  async remember(owner: KnownOwner, ip: string | undefined, em?: EntityManager): Promise<void> {
    const key = this.#keyToStore(owner, ip);
    if (key) await this.kernel.counters.mark(key, ...this.#dates(), em);
  }

  /**
   * Prolongs the time for which the network of a refresh is known, if it is. Does so once a day for each session, so
   * that other refreshes cost nothing. Never throws, because the refresh has been committed.
   */
  async renewDaily({ sub, iat, session_iat: openedAt }: TokenClaims, ip: string | undefined): Promise<void> {
    const dayOf = (seconds: number) => Math.floor(((seconds - openedAt) * 1000) / DAY_MS);
    if (!ip || dayOf(iat) === dayOf(toSeconds(this.kernel.clock.now()))) return;
    await this.#renew(this.kernel.users.keyOf(sub), ip).catch(() => {});
  }

  async #renew(id: UserId, ip: string): Promise<void> {
    const passwordHash = await this.kernel.sessionStore.passwordHashOf(id);
    const key = this.#keyToStore({ id, passwordHash }, ip);
    if (key) await this.kernel.counters.renewMark(key, ...this.#dates());
  }

  #keyToStore(owner: KnownOwner, ip: string | undefined): string | undefined {
    const isUseful = this.kernel.settings.loginRateLimit.length > 0 && owner.passwordHash;
    return isUseful ? this.keyOf(owner, ip) : undefined;
  }

  /** Until when the network is known from now on, and how long an existing row must last to be left as it is. */
  #dates(): [Date, Date] {
    const until = this.kernel.clock.now() + KNOWN_FOR_MS;
    return [new Date(until), new Date(until - DAY_MS)];
  }
}
