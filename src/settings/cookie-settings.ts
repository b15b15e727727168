import { Transform } from 'class-transformer';
import { KeySettings } from './key-settings.js';
import { Duration, Flag, isCookieDomain, isCookiePath, matches, must, optional, parseList } from './setting-rules.js';

/** How refresh tokens may travel; `both`: as each request chooses. */
export type RefreshTokenTransportMode = 'cookie' | 'body' | 'both';

/** The settings of how refresh tokens travel: a part of `Settings`. */
export abstract class CookieSettings extends KeySettings {
  abstract readonly development: boolean;

  /**
   * How refresh tokens travel: in a cookie, in JSON bodies, or as each request says by the header `Auth-Transport`.
   * Default: what {refreshTokenAsCookie} says.
   */
  @must(
    'must be cookie, body or both',
    optional((value) => matches(value, /^(cookie|body|both)$/)),
  )
  @must(
    'contradicts {refreshTokenAsCookie}; leave that one out',
    optional((value, { refreshTokenAsCookie }: CookieSettings) => refreshTokenAsCookie === (value !== 'body')),
  )
  readonly refreshTokenTransport?: RefreshTokenTransportMode = undefined;

  /**
   * The short form of {refreshTokenTransport}, which need not stand beside it. True: refresh tokens travel in a cookie,
   * or can where that is `both`. False: they travel in JSON bodies.
   */
  @Flag()
  readonly refreshTokenAsCookie: boolean = true;

  /** Default: `__Host-refresh_token` where its rules hold (Secure, Path=/, no Domain), else `refresh_token`. */
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

  /** Default: true, but false where `development` is true. */
  @Flag()
  @must(
    'must not be false in production: the token would travel in clear',
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

  /** Upper limit in seconds; the cookie never outlives the token. */
  @Duration(1)
  readonly refreshTokenCookieMaxAge?: number = undefined;

  @must('must be a path that starts with /', isCookiePath)
  readonly refreshTokenCookiePath: string = '/';

  @must('must be a domain', optional(isCookieDomain))
  readonly refreshTokenCookieDomain?: string = undefined;

  /** True: browsers keep the cookie apart for each site that embeds the app (CHIPS). */
  @Flag()
  @must(
    'needs a Secure cookie with SameSite none: no other is sent where the app is embedded',
    (value, settings: CookieSettings) =>
      value !== true || (isCookieSecure(settings) && settings.refreshTokenCookieSameSite === 'none'),
  )
  readonly refreshTokenCookiePartitioned: boolean = false;

  /** Domains that the cookie had before. Its copies there are expired, and read unless ours is a `__Host-` cookie. */
  @Transform(({ value }) => parseList(value))
  @must('must be domains, separated by commas', (value) => Array.isArray(value) && value.every(isCookieDomain))
  readonly olderCookieDomains: readonly string[] = [];

  /** Paths that the cookie had before. Its copies there are expired, and read unless ours is a `__Host-` cookie. */
  @Transform(({ value }) => parseList(value))
  @must(
    'must be paths that start with /, separated by commas',
    (value) => Array.isArray(value) && value.every(isCookiePath),
  )
  readonly olderCookiePaths: readonly string[] = [];
}

/** What one of the two settings of the transport says where the other one is left out. */
export function withTransport<T extends object>(input: T): T {
  const { refreshTokenTransport, refreshTokenAsCookie } = input as Readonly<Record<string, unknown>>;
  if (refreshTokenTransport === undefined || refreshTokenAsCookie !== undefined) return input;
  return { ...input, refreshTokenAsCookie: refreshTokenTransport !== 'body' };
}

/** Whether the cookie is sent over TLS only. */
export function isCookieSecure({ refreshTokenCookieSecure, development }: CookieSettings): boolean {
  return refreshTokenCookieSecure ?? !development;
}

/** Whether a cookie of these settings may bear the `__Host-` prefix (RFC 6265bis §4.1.3.2). */
function isHostCookie(settings: CookieSettings): boolean {
  return isCookieSecure(settings) && settings.refreshTokenCookiePath === '/' && !settings.refreshTokenCookieDomain;
}

function isPrefixAllowed(name: string, settings: CookieSettings): boolean {
  if (name.toLowerCase().startsWith('__host-')) return isHostCookie(settings);
  return !name.toLowerCase().startsWith('__secure-') || isCookieSecure(settings);
}
