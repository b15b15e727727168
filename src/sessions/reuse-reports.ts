import type { TokenReuse } from '../error.js';
import type { NewEvent } from '../observability/auth-events.js';
import type { Journal } from '../observability/journal.js';
import type { Logger } from '../observability/logger.js';
import type { TokenClaims } from '../tokens/claims.js';

/** Reports refresh tokens that are not the live token of their session: in the log and as `session.reuse-detected`. */
export class ReuseReports {
  constructor(
    private readonly journal: Journal,
    private readonly logger: Logger,
  ) {}

  /** Logs a reuse and emits the event, without the audit log, because strangers can cause it without limit. */
  report(reuse: TokenReuse, claims: TokenClaims): void {
    this.log(reuse, claims);
    this.journal.emit(this.event(reuse, claims));
  }

  /** Logs a reuse. The caller records the event in its transaction. */
  log(reuse: TokenReuse, { session, sub }: TokenClaims): void {
    // Ordinary: a retry after a lost response, and a second tab or a late request after a sign-out. A theft has its own
    // warning when it is detected.
    const isOrdinary = reuse === 'lost-response' || reuse === 'revoked-session';
    const level = isOrdinary ? 'info' : 'warn';
    this.logger[level]({ reuse, session, user: sub }, 'refresh token reuse');
  }

  /** The event of a reuse. */
  event(reuse: TokenReuse, { session, sub }: TokenClaims): NewEvent {
    return ['session.reuse-detected', { reuse, session, user: sub }];
  }
}
