import { namesSeveralHosts } from '../database/one-host.js';
import { CookieSettings } from './cookie-settings.js';
import { Count, Duration, Flag, matches, must, optional } from './setting-rules.js';

/** How the library checks the session of an access token before it accepts the token. */
export type SessionCheckMode = 'none' | 'revocation-list' | 'database';

/** What the library does while the revocation list is not current. */
export type RevocationListFallback = 'database' | 'fail-closed' | 'fail-open';

/** Which sessions are bound to a key of their client. */
export type DpopMode = 'optional' | 'required' | 'off';

/** The settings of sessions and of token lifetimes. Part of `Settings`. */
export abstract class SessionSettings extends CookieSettings {
  /** Lifetime of an access token, in seconds. */
  @Duration(1)
  readonly accessTokenLifetime: number = 30 * 60;

  /** Seconds after which an unused session ends. */
  @Duration(1)
  readonly refreshTokenLifetime: number = 14 * 86_400;

  /** Maximum lifetime of a session, used or not, in seconds. Default: no limit. */
  @Duration(1)
  readonly sessionLifetime?: number = undefined;

  /** Seconds after a rotation in which the previous token still gets the same successor. 0: never. */
  @Duration(0, 120)
  readonly refreshReuseGrace: number = 10;

  /** How long after the last proof of identity a session is fresh, in seconds. */
  @Duration(1)
  readonly reauthenticationMaxAge: number = 600;

  /** Whether a password change ends all older sessions of the user. */
  @Flag()
  readonly logoutOnPasswordChange: boolean = true;

  /** Whether the session stores the client's address, browser, operating system and device. */
  @Flag()
  readonly collectUserAgent: boolean = false;

  /** Maximum number of live sessions of a user. A new session ends the least recently used one. Default: no limit. */
  @Count(1)
  readonly maxSessionsPerUser?: number = undefined;

  /**
   * How soon the access tokens of an ended session are refused. `none`: when they expire. `revocation-list`: within
   * about a second, without a query. `database`: at once, by a query. `@SessionCheck` sets another mode for a route.
   */
  @must('must be none, revocation-list or database', (value) => matches(value, /^(none|revocation-list|database)$/))
  readonly accessTokenSessionCheck: SessionCheckMode = 'none';

  /**
   * What happens while the revocation list is not current. `database`: the library queries the session. `fail-closed`:
   * it answers 503. `fail-open`: it accepts the token.
   */
  @must('must be database, fail-closed or fail-open', (value) => matches(value, /^(database|fail-closed|fail-open)$/))
  readonly revocationListFallback: RevocationListFallback = 'database';

  /**
   * The URL of a PostgreSQL connection for the revocation list, if a connection pooler is between the app and the
   * database. Default: the list connects as the pool does.
   */
  @must(
    'must be a URL with one host, such as postgresql://user:password@db.example.com:5432/app',
    optional((value) => matches(value, /^postgres(ql)?:\/\/[^\s]+$/) && isUrlOfOneHost(String(value))),
  )
  readonly listenUrl?: string = undefined;

  /**
   * Whether a session is bound to a key of its client (RFC 9449). `optional`: if the sign-in has a DPoP proof.
   * `required`: a sign-in without a proof is refused. `off`: never; sessions that are bound keep their key.
   */
  @must('must be optional, required or off', (value) => matches(value, /^(optional|required|off)$/))
  readonly dpop: DpopMode = 'optional';

  /** Whether the access tokens of a bound session are accepted only with a DPoP proof by its key. */
  @Flag()
  readonly accessTokenBinding: boolean = false;
}

function isUrlOfOneHost(value: string): boolean {
  return URL.canParse(value) && !namesSeveralHosts(value);
}
