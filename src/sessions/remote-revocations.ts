import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../clock.js';
import type { AuthEvents } from '../observability/auth-events.js';
import type { Settings } from '../settings/settings.js';
import { maxAccessTokenAgeMs } from './max-access-token-age.js';
import { RevocationList } from './revocation-list.js';

/**
 * Delay before the event of a revocation that was read from the table. This process may have ended that session itself,
 * and be about to emit the complete event.
 */
const OWN_EVENT_DELAY_MS = 500;

/**
 * Emits `session.revoked` for sessions that another process has ended, so that an app can close sockets on every
 * server. For a session that this process ends, the code that ends it emits the complete event.
 */
export class RemoteRevocations {
  /** The id of this process in notifications. */
  readonly origin = randomUUID();
  /** The sessions that this process has ended, as long as their revocations may be read from the table. */
  readonly #ownRevocations: RevocationList;

  constructor(
    protected readonly kernel: {
      readonly events: AuthEvents;
      readonly settings: Settings;
      readonly clock: Clock;
    },
  ) {
    const { events, settings, clock } = kernel;
    const ownRevocations = new RevocationList(maxAccessTokenAgeMs(settings), clock);
    this.#ownRevocations = ownRevocations;
    events.on('session.revoked', ({ session, reason, at }) => {
      if (reason === 'elsewhere') return;
      ownRevocations.expire();
      ownRevocations.add(session, at.getTime());
    });
  }

  /** Emits the event for a notification, unless this process has sent it. */
  emitNotified(session: string, origin: string | undefined): void {
    if (origin !== this.origin) this.#emit(session);
  }

  /** Emits the events for sessions whose notifications were missed, and that were read from the table. */
  async emitMissed(sessions: readonly string[]): Promise<void> {
    if (sessions.length === 0) return;
    await delay(OWN_EVENT_DELAY_MS, undefined, { ref: false });
    for (const session of sessions) if (!this.#ownRevocations.has(session)) this.#emit(session);
  }

  #emit(session: string): void {
    const at = new Date(this.kernel.clock.now());
    this.kernel.events.emit('session.revoked', { session, reason: 'elsewhere', at });
  }
}
