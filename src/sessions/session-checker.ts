import { serviceUnavailable, tokenNotValid } from '../error-table.js';
import type { SessionCheckMode } from '../settings/session-settings.js';
import type { Settings } from '../settings/settings.js';
import type { RevocationListener } from './revocation-listener.js';
import type { SessionReference, SessionService } from './session.service.js';

/** Checks whether the session of a verified access token has ended. */
export class SessionChecker {
  constructor(
    private readonly listener: RevocationListener,
    private readonly sessions: SessionService,
    private readonly settings: Settings,
  ) {}

  /**
   * Refuses the token of an ended session, as far as `mode` and REVOCATION_LIST_FALLBACK demand it. Returns a promise
   * only if a query is needed, so that other requests do not wait for a tick of the event loop.
   *
   * @throws token_not_valid; service_unavailable if the list is not current and REVOCATION_LIST_FALLBACK is
   * `fail-closed`
   */
  check(session: SessionReference, mode: SessionCheckMode): void | Promise<void> {
    if (mode === 'none') return;
    if (mode === 'database') return this.sessions.assertLive(session);
    if (this.listener.has(session.session)) throw tokenNotValid('session-ended');
    if (this.listener.isCurrent) return;
    const { revocationListFallback: fallback } = this.settings;
    if (fallback === 'fail-closed') throw serviceUnavailable();
    if (fallback === 'database') return this.sessions.assertLive(session);
  }
}
