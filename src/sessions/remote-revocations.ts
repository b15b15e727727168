import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../clock.js';
import type { AuthEvents } from '../observability/auth-events.js';
import type { Settings } from '../settings/settings.js';
import { maxAccessTokenAgeMs } from './max-access-token-age.js';
import { RevocationList } from './revocation-list.js';

/**
 * Milliseconds after which the event of a revocation that was read from the table is emitted: this process may have
 * ended that session itself, and be about to emit the full event.
 */
const OWN_EVENT_DELAY_MS = 500;

/**
 * Emits `session.revoked` for the sessions that another process has ended, so that an app can close a socket on any
 * server. What this process ends itself has its full event already.
 */
export class RemoteRevocations {
  /** The name of this process in notifications. */
  readonly origin = randomUUID();
  /** The sessions that this process has ended, for as long as their revocations are read from the table. */
  readonly #own: RevocationList;

  constructor(
    protected readonly kernel: {
      readonly events: AuthEvents;
      readonly settings: Settings;
      readonly clock: Clock;
    },
  ) {
    const { events, settings, clock } = kernel;
    const own = new RevocationList(maxAccessTokenAgeMs(settings), clock);
    this.#own = own;
    events.on('session.revoked', ({ session, reason, at }) => {
      if (reason === 'elsewhere') return;
      own.expire();
      own.add(session, at.getTime());
    });
  }

  /** Emits the event of a session whose end was notified. */
  notified(session: string, origin: string | undefined): void {
    if (origin !== this.origin) this.#emit(session);
  }

  /** Emits the events of sessions whose ends were missed, and have been read from the table. */
  async missed(sessions: readonly string[]): Promise<void> {
    if (sessions.length === 0) return;
    await delay(OWN_EVENT_DELAY_MS, undefined, { ref: false });
    for (const session of sessions) if (!this.#own.has(session)) this.#emit(session);
  }

  #emit(session: string): void {
    const at = new Date(this.kernel.clock.now());
    this.kernel.events.emit('session.revoked', { session, reason: 'elsewhere', at });
  }
}
