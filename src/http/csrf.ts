import { hostOf, isOwnOrigin } from '../dpop/requested-url.js';
import { ErrorCode } from '../error.js';
import { authError } from '../error-table.js';
import type { Logger } from '../observability/logger.js';
import type { WarningLimit } from '../observability/warning-limit.js';
import { namesOf, withNames } from '../settings/setting-names.js';
import type { Settings } from '../settings/settings.js';
import { transportFault, transportOf } from './auth-transport.js';
import type { Before, HttpRequest } from './http-message.js';

/** The log message of a refusal. It names the settings that may be wrong. */
const REFUSAL_MESSAGE =
  'request from a foreign origin refused; if the origin is part of your app, set {publicUrl}, {trustedOrigins} ' +
  "or Express's trust proxy";

/** The guards that can refuse a request. A guard that never refuses is not in this set. */
const guards = new WeakSet<object>();

/** Whether a function for `@UseBefore` is a guard that may refuse requests from foreign origins. */
export function isOriginGuard(before: object): boolean {
  return guards.has(before);
}

/** Maximum number of characters of a header value in a log entry. */
const MAX_LOGGED_LENGTH = 200;

/**
 * Refuses a browser's request from a foreign origin if its credential is a cookie, or if the answer sets a cookie.
 * Otherwise a foreign page could refresh, sign out, or sign its visitor in to another account (login CSRF). A request
 * whose refresh token travels in bodies passes, because it neither uses nor gets a cookie. Clients that are not
 * browsers send neither `Origin` nor `Sec-Fetch-Site` and pass. Refusals are logged at most once a minute per origin,
 * with the compared values.
 *
 * @param isAlwaysCookie for routes that use a cookie also if the refresh token travels in bodies
 */
export function createCsrfGuard(
  settings: Settings,
  logger: Logger,
  warnings: WarningLimit,
  { isAlwaysCookie = false }: { readonly isAlwaysCookie?: boolean } = {},
): Before {
  const { refreshTokenAsCookie, trustedOrigins, publicUrl } = settings;
  const refusal = withNames(REFUSAL_MESSAGE, namesOf(settings));
  const trusted = publicUrl === undefined ? trustedOrigins : [...trustedOrigins, new URL(publicUrl).origin];
  const guard: Before = (request, _response, next) => {
    const fault = transportFault(request, settings);
    if (fault) return next(fault);
    const isCookie = isAlwaysCookie || transportOf(request, settings) === 'cookie';
    if (!isCookie || isOwnOrTrusted(request, trusted)) return next();
    warn(request, { logger, warnings, trusted, refusal });
    next(authError('csrf_failed'));
  };
  if (refreshTokenAsCookie || isAlwaysCookie) guards.add(guard);
  return guard;
}

function warn(
  request: HttpRequest,
  {
    logger,
    warnings,
    trusted,
    refusal,
  }: Readonly<{
    logger: Logger;
    warnings: WarningLimit;
    trusted: readonly string[];
    refusal: string;
  }>,
): void {
  const { origin, 'sec-fetch-site': site } = request.headers;
  const compared = { host: hostOf(request)?.slice(0, MAX_LOGGED_LENGTH), protocol: request.protocol, trusted };
  const sent = { origin: origin?.slice(0, MAX_LOGGED_LENGTH), site: site?.slice(0, MAX_LOGGED_LENGTH) };
  const admitted = warnings.admit(JSON.stringify(sent));
  if (admitted) logger.warn({ code: ErrorCode.CsrfFailed, ...sent, ...compared, ...admitted }, refusal);
}

function isOwnOrTrusted(request: HttpRequest, trusted: readonly string[]): boolean {
  const { origin, 'sec-fetch-site': site } = request.headers;
  if (origin !== undefined) {
    return trusted.includes(origin) || isOwnOrigin(origin, request);
  }
  return site === undefined || site === 'same-origin' || site === 'none';
}
