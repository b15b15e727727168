import type { Logger } from '../observability/logger.js';
import { type NameOf, namesOf } from '../settings/setting-names.js';
import type { Settings } from '../settings/settings.js';

/**
 * Checks at start-up that `routePrefix`, mailed links and the refresh cookie match the paths of the library's routes.
 * Only PUBLIC_URL shows whether the app is mounted below another path; without it a wrong cookie path is only logged as
 * a warning.
 *
 * @throws TypeError for a routePrefix, a PUBLIC_URL or a REFRESH_TOKEN_COOKIE_PATH that cannot match
 */
export function assertMountingWorks(settings: Settings, prefix: string, routePrefix: string, logger: Logger): void {
  if (routePrefix !== '' && !/^\/(.*[^/])?$/.test(routePrefix)) {
    throw new TypeError('routePrefix must start with a slash and not end with one, such as /api');
  }
  const { publicUrl } = settings;
  const nameOf = namesOf(settings);
  assertLinksMatch(publicUrl, routePrefix, nameOf);
  const below = publicUrl === undefined ? routePrefix : new URL(publicUrl).pathname.replace(/\/$/, '');
  const { refreshTokenAsCookie, refreshTokenCookiePath: path } = settings;
  if (!refreshTokenAsCookie || isSentBelow(`${below}${prefix}`, path)) return;
  const fault = `${nameOf('refreshTokenCookiePath')} is ${path}, but the auth routes are below ${below}${prefix}`;
  if (publicUrl !== undefined) throw new TypeError(`${fault}: browsers would not send the cookie`);
  logger.warn({}, `${fault}: browsers do not send the cookie, unless the app is mounted below another path`);
}

/** Mailed links are built from PUBLIC_URL. @throws TypeError if they would not match the library's routes */
function assertLinksMatch(publicUrl: string | undefined, routePrefix: string, nameOf: NameOf): void {
  if (publicUrl === undefined || routePrefix === '') return;
  const isPlain = /^(\/[\w.~-]+)+$/.test(routePrefix);
  if (isPlain && new URL(publicUrl).pathname.replace(/\/$/, '').endsWith(routePrefix)) return;
  const name = nameOf('publicUrl');
  throw new TypeError(
    `${name} must end with the app's routePrefix, a path such as /api; otherwise mailed links would be 404`,
  );
}

/** Whether a browser sends a cookie of this path to every path below `base` (RFC 6265 §5.1.4). */
function isSentBelow(base: string, cookiePath: string): boolean {
  return `${base}/`.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`);
}
