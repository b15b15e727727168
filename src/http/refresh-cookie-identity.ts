import { isCookieSecure } from '../settings/cookie-settings.js';
import type { Settings } from '../settings/settings.js';

/** What makes a cookie another one for a browser (RFC 6265 §5.3, and its partition). */
export interface CookieIdentity {
  readonly name: string;
  readonly path: string;
  /** Undefined: the cookie of this host alone. */
  readonly domain?: string;
  readonly partitioned?: boolean;
}

/** The identity of the refresh cookie, as the settings say it now. */
export function currentIdentity(settings: Settings): CookieIdentity {
  const { refreshTokenCookieDomain: domain, refreshTokenCookiePath: path } = settings;
  return identity(settings, domain, path, settings.refreshTokenCookiePartitioned);
}

/**
 * The identities that the refresh cookie may have had before: of OLDER_COOKIE_DOMAINS and OLDER_COOKIE_PATHS, the copy
 * of this host alone where there is a DOMAIN, and the unpartitioned copy where it is partitioned. Where it could have
 * been partitioned and is not, the partitioned copy.
 */
export function olderIdentities(settings: Settings): readonly CookieIdentity[] {
  const own = currentIdentity(settings);
  const domains = [undefined, own.domain, ...settings.olderCookieDomains];
  const paths = [own.path, ...settings.olderCookiePaths];
  const canBePartitioned = isCookieSecure(settings) && settings.refreshTokenCookieSameSite === 'none';
  const older = new Map<string, CookieIdentity>();
  for (const domain of domains) {
    for (const path of paths) {
      for (const isPartitioned of canBePartitioned ? [true, false] : [false]) {
        const each = identity(settings, domain, path, isPartitioned);
        if (isPossible(each)) older.set(keyOf(each), each);
      }
    }
  }
  older.delete(keyOf(own));
  return [...older.values()];
}

function identity(settings: Settings, domain: string | undefined, path: string, partitioned: boolean): CookieIdentity {
  const name = settings.refreshTokenCookieName ?? defaultName(settings, domain, path);
  return { name, path, ...(domain && { domain }), ...(partitioned && { partitioned }) };
}

/** RFC 6265bis §4.1.3: `__Host-` is for Secure cookies of one host and every path. */
function defaultName(settings: Settings, domain: string | undefined, path: string): string {
  const isHostCookie = isCookieSecure(settings) && path === '/' && !domain;
  return isHostCookie ? '__Host-refresh_token' : 'refresh_token';
}

/** Whether browsers take a cookie of this name from its own host alone. */
export function isHostName(name: string): boolean {
  return name.toLowerCase().startsWith('__host-');
}

/** Browsers refuse a `__Host-` cookie with a domain or a path, and so never had one. */
function isPossible({ name, path, domain }: CookieIdentity): boolean {
  return !isHostName(name) || (path === '/' && !domain);
}

function keyOf({ name, path, domain = '', partitioned = false }: CookieIdentity): string {
  return [name, domain.replace(/^\./, '').toLowerCase(), path, partitioned].join(' ');
}
