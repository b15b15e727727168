import type { TokenReuse } from '../error.js';
import type { NewEvent } from '../observability/auth-events.js';
import type { Journal } from '../observability/journal.js';
import type { Logger } from '../observability/logger.js';
import type { TokenClaims } from '../tokens/claims.js';

/** Reports the use of refresh tokens that are not the live one: in the log and as `session.reuse-detected`. */
export class ReuseReports {
  constructor(
    private readonly journal: Journal,
    private readonly logger: Logger,
  ) {}

  /** Logs it and emits the event, without the audit log: a stranger can cause these as often as they like. */
  report(reuse: TokenReuse, claims: TokenClaims): void {
    this.log(reuse, claims);
    this.journal.emit(this.event(reuse, claims));
  }

  /** Logs it, where the event is recorded in a transaction. */
  log(reuse: TokenReuse, { session, sub }: TokenClaims): void {
    const level = reuse === 'lost-response' ? 'info' : 'warn';
    this.logger[level]({ reuse, session, user: sub }, 'refresh token reuse');
  }

  /** The event of it. */
  event(reuse: TokenReuse, { session, sub }: TokenClaims): NewEvent {
    return ['session.reuse-detected', { reuse, session, user: sub }];
  }
}
