import { Transform } from 'class-transformer';
import { KeySettings } from './key-settings.js';
import { Duration, Flag, isCookieDomain, isCookiePath, matches, must, optional, parseList } from './setting-rules.js';

/** How refresh tokens travel. `both`: each request chooses with its `Auth-Transport` header. */
export type RefreshTokenTransportMode = 'cookie' | 'body' | 'both';

/** The settings of the refresh token's transport and cookie. Part of `Settings`. */
export abstract class CookieSettings extends KeySettings {
  abstract readonly development: boolean;

  /**
   * How refresh tokens travel: in a cookie, in JSON bodies, or as each request chooses with its `Auth-Transport`
   * header. Default: `cookie` or `body`, by `refreshTokenAsCookie`.
   */
  @must(
    'must be cookie, body or both',
    optional((value) => matches(value, /^(cookie|body|both)$/)),
  )
  @must(
    'contradicts {refreshTokenAsCookie}: set only one of them',
    optional((value, { refreshTokenAsCookie }: CookieSettings) => refreshTokenAsCookie === (value !== 'body')),
  )
  readonly refreshTokenTransport?: RefreshTokenTransportMode = undefined;

  /**
   * The short form of `refreshTokenTransport`; set only one of the two. True: refresh tokens travel in a cookie (or
   * can, where `refreshTokenTransport` is `both`). False: they travel in JSON bodies.
   */
  @Flag()
  readonly refreshTokenAsCookie: boolean = true;

  /** Default: `__Host-refresh_token` if the cookie is Secure with Path=/ and no Domain, else `refresh_token`. */
  @must(
    'must be a cookie name',
    optional((value) => matches(value, /^[\w!#$%&'*+.^`|~-]+$/)),
  )
  @must(
    'starts with __Host- or __Secure-, which needs Secure (and for __Host- the path / and no domain)',
    optional((name, settings: CookieSettings) => isPrefixAllowed(String(name), settings)),
  )
  readonly refreshTokenCookieName?: string = undefined;

  @Flag()
  @must(
    'must not be false in production: scripts could read the token',
    (value, { development }: CookieSettings) => value !== false || development,
  )
  readonly refreshTokenCookieHttpOnly: boolean = true;

  /** Default: the opposite of `development`. */
  @Flag()
  @must(
    'must not be false in production: the token would travel unencrypted',
    (value, { development }: CookieSettings) => value !== false || development,
  )
  readonly refreshTokenCookieSecure?: boolean = undefined;

  @Transform(({ value }) => (typeof value === 'string' ? value.toLowerCase() : value))
  @must('must be lax, strict or none', (value) => matches(value, /^(lax|strict|none)$/))
  @must(
    'cannot be none for a cookie that is not Secure',
    (value, settings: CookieSettings) => value !== 'none' || isCookieSecure(settings),
  )
  readonly refreshTokenCookieSameSite: 'lax' | 'strict' | 'none' = 'lax';

  /** Maximum lifetime of the cookie, in seconds. The cookie never outlives the token. */
  @Duration(1)
  readonly refreshTokenCookieMaxAge?: number = undefined;

  @must('must be a path that starts with /', isCookiePath)
  readonly refreshTokenCookiePath: string = '/';

  @must('must be a domain', optional(isCookieDomain))
  readonly refreshTokenCookieDomain?: string = undefined;

  /** True: browsers keep a separate cookie for each site that embeds the app (`Partitioned`, CHIPS). */
  @Flag()
  @must(
    'needs a Secure cookie with SameSite none: browsers send no other cookie to an embedded app',
    (value, settings: CookieSettings) =>
      value !== true || (isCookieSecure(settings) && settings.refreshTokenCookieSameSite === 'none'),
  )
  readonly refreshTokenCookiePartitioned: boolean = false;

  /**
   * Domains that earlier versions of the cookie had. The library expires these cookies. It also reads them, unless the
   * current cookie has the prefix `__Host-`.
   */
  @Transform(({ value }) => parseList(value))
  @must('must be domains, separated by commas', (value) => Array.isArray(value) && value.every(isCookieDomain))
  readonly olderCookieDomains: readonly string[] = [];

  /** Paths that earlier versions of the cookie had. The library reads and expires these cookies in the same way. */
  @Transform(({ value }) => parseList(value))
  @must(
    'must be paths that start with /, separated by commas',
    (value) => Array.isArray(value) && value.every(isCookiePath),
  )
  readonly olderCookiePaths: readonly string[] = [];
}

/** Sets `refreshTokenAsCookie` if only `refreshTokenTransport` is given. */
export function withTransport<T extends object>(input: T): T {
  const { refreshTokenTransport, refreshTokenAsCookie } = input as Readonly<Record<string, unknown>>;
  if (refreshTokenTransport === undefined || refreshTokenAsCookie !== undefined) return input;
  return { ...input, refreshTokenAsCookie: refreshTokenTransport !== 'body' };
}

/** Whether the cookie has the `Secure` attribute. */
export function isCookieSecure({ refreshTokenCookieSecure, development }: CookieSettings): boolean {
  return refreshTokenCookieSecure ?? !development;
}

/** Whether a cookie with these settings may have the prefix `__Host-` (RFC 6265bis §4.1.3.2). */
function isHostCookie(settings: CookieSettings): boolean {
  return isCookieSecure(settings) && settings.refreshTokenCookiePath === '/' && !settings.refreshTokenCookieDomain;
}

function isPrefixAllowed(name: string, settings: CookieSettings): boolean {
  if (name.toLowerCase().startsWith('__host-')) return isHostCookie(settings);
  return !name.toLowerCase().startsWith('__secure-') || isCookieSecure(settings);
}
