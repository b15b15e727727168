import { isCookieSecure } from '../settings/cookie-settings.js';
import type { Settings } from '../settings/settings.js';

/** The attributes that identify a cookie in a browser (RFC 6265 §5.3, and its partition). */
export interface CookieIdentity {
  readonly name: string;
  readonly path: string;
  /** Undefined for a host-only cookie. */
  readonly domain?: string;
  readonly partitioned?: boolean;
}

/** The identity of the refresh cookie under the current settings. */
export function currentIdentity(settings: Settings): CookieIdentity {
  const { refreshTokenCookieDomain: domain, refreshTokenCookiePath: path } = settings;
  return identity(settings, domain, path, settings.refreshTokenCookiePartitioned);
}

/**
 * The identities that the refresh cookie may have had before: those from OLDER_COOKIE_DOMAINS and OLDER_COOKIE_PATHS,
 * the host-only copy if DOMAIN is set, and the unpartitioned copy if the cookie is partitioned. If it could be
 * partitioned but is not, also the partitioned copy.
 */
export function olderIdentities(settings: Settings): readonly CookieIdentity[] {
  const current = currentIdentity(settings);
  const domains = [undefined, current.domain, ...settings.olderCookieDomains];
  const paths = [current.path, ...settings.olderCookiePaths];
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
  older.delete(keyOf(current));
  return [...older.values()];
}

function identity(settings: Settings, domain: string | undefined, path: string, partitioned: boolean): CookieIdentity {
  const name = settings.refreshTokenCookieName ?? defaultName(settings, domain, path);
  return { name, path, ...(domain && { domain }), ...(partitioned && { partitioned }) };
}

/** The `__Host-` prefix needs Secure, no domain and the path `/` (RFC 6265bis §4.1.3). */
function defaultName(settings: Settings, domain: string | undefined, path: string): string {
  const isHostCookie = isCookieSecure(settings) && path === '/' && !domain;
  return isHostCookie ? '__Host-refresh_token' : 'refresh_token';
}

/** Whether browsers accept a cookie of this name only from its own host. */
export function isHostName(name: string): boolean {
  return name.toLowerCase().startsWith('__host-');
}

/** Browsers refuse a `__Host-` cookie with a domain or a path, so it cannot have been set. */
function isPossible({ name, path, domain }: CookieIdentity): boolean {
  return !isHostName(name) || (path === '/' && !domain);
}

function keyOf({ name, path, domain = '', partitioned = false }: CookieIdentity): string {
  return [name, domain.replace(/^\./, '').toLowerCase(), path, partitioned].join(' ');
}
