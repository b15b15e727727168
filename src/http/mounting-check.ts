import type { Logger } from '../observability/logger.js';
import type { Settings } from '../settings/settings.js';

/**
 * Makes sure that mailed links, the refresh cookie and our middlewares reach our routes, as far as can be seen at
 * start: the app may be mounted below another path, which only PUBLIC_URL tells. Without it a cookie path is warned of.
 *
 * @throws TypeError for a routePrefix, a PUBLIC_URL or a REFRESH_TOKEN_COOKIE_PATH that cannot match
 */
export function assertMountingWorks(settings: Settings, prefix: string, routePrefix: string, logger: Logger): void {
  if (routePrefix !== '' && !/^\/(.*[^/])?$/.test(routePrefix)) {
    throw new TypeError('routePrefix must start with a slash and not end with one, such as /api');
  }
  const { publicUrl } = settings;
  assertLinksMatch(publicUrl, routePrefix);
  const below = publicUrl === undefined ? routePrefix : new URL(publicUrl).pathname.replace(/\/$/, '');
  const { refreshTokenAsCookie, refreshTokenCookiePath: path } = settings;
  if (!refreshTokenAsCookie || isSentBelow(`${below}${prefix}`, path)) return;
  const fault = `REFRESH_TOKEN_COOKIE_PATH is ${path}, but our routes are below ${below}${prefix}`;
  if (publicUrl !== undefined) throw new TypeError(`${fault}: browsers would not send the cookie`);
  logger.warn({}, `${fault}: unless the app is mounted below another path, browsers do not send the cookie`);
}

/** Links in mails are built from PUBLIC_URL. @throws TypeError where they would not lead to our routes */
function assertLinksMatch(publicUrl: string | undefined, routePrefix: string): void {
  if (publicUrl === undefined || routePrefix === '') return;
  const isPlain = /^(\/[\w.~-]+)+$/.test(routePrefix);
  if (isPlain && new URL(publicUrl).pathname.replace(/\/$/, '').endsWith(routePrefix)) return;
  throw new TypeError(
    `PUBLIC_URL must end with the app's routePrefix, a path such as /api, or mailed links would be 404`,
  );
}

/** Whether a browser sends a cookie of this path to every address below another (RFC 6265 §5.1.4). */
function isSentBelow(base: string, cookiePath: string): boolean {
  return `${base}/`.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`);
}
