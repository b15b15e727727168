import { CookieSettings } from './cookie-settings.js';
import { Count, Duration, Flag, matches, must } from './setting-rules.js';

/** How the session of an access token is looked at before the token is believed. */
export type SessionCheckMode = 'none' | 'revocation-list' | 'database';

/** What is done while the revocation list cannot be kept up. */
export type RevocationListFallback = 'database' | 'fail-closed' | 'fail-open';

/** The settings of sessions and of how long their tokens live: a part of `Settings`. */
export abstract class SessionSettings extends CookieSettings {
  /** Seconds that an access token is believed. */
  @Duration(1)
  readonly accessTokenLifetime: number = 30 * 60;

  /** Seconds after which an unused session ends. */
  @Duration(1)
  readonly refreshTokenLifetime: number = 14 * 86_400;

  /** Seconds after which every session ends, used or not. */
  @Duration(1)
  readonly sessionLifetime?: number = undefined;

  /** Seconds after a rotation in which the parent still gets the same successor; 0: never. */
  @Duration(0, 120)
  readonly refreshReuseGrace: number = 10;

  /** Whether a new password ends every older session. */
  @Flag()
  readonly logoutOnPasswordChange: boolean = true;

  /** Whether the client's address, browser, system and device are kept with a session. */
  @Flag()
  readonly collectUserAgent: boolean = false;

  /** Live sessions that a user may have; the least recently used one goes. Default: any number. */
  @Count(1)
  readonly maxSessionsPerUser?: number = undefined;

  /**
   * How soon an ended session's access tokens are refused: `none`: when they expire; `revocation-list`: within about a
   * second, without a query; `database`: at once, by a query. `@SessionCheck` chooses another for a route.
   */
  @must('must be none, revocation-list or database', (value) => matches(value, /^(none|revocation-list|database)$/))
  readonly accessTokenSessionCheck: SessionCheckMode = 'none';

  /** What is done where the revocation list cannot be kept up: ask the database, refuse (503), or believe. */
  @must('must be database, fail-closed or fail-open', (value) => matches(value, /^(database|fail-closed|fail-open)$/))
  readonly revocationListFallback: RevocationListFallback = 'database';
}
