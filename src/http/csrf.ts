import { ErrorCode } from '../error.js';
import { authError } from '../error-table.js';
import type { Logger } from '../observability/logger.js';
import type { WarningLimit } from '../observability/warning-limit.js';
import type { Settings } from '../settings/settings.js';
import { transportFault, transportOf } from './auth-transport.js';
import { type Before, type HttpRequest, hostOf } from './http-message.js';

/** The log line of a refusal, with what to set where the origin is the app's own. */
const REFUSED =
  "request from a foreign origin refused; if it is your app's: set PUBLIC_URL, TRUSTED_ORIGINS or Express's trust " +
  'proxy';

/** Guards that may refuse a request. */
const guards = new WeakSet<object>();

/** Whether a function for `@UseBefore` refuses requests from foreign origins. */
export function isOriginGuard(before: object): boolean {
  return guards.has(before);
}

/** Characters of a header that a log line repeats. */
const LOGGED_LENGTH = 200;

/**
 * Refuses a browser's request from a foreign site where a cookie is a credential or is about to become one: otherwise a
 * page elsewhere could refresh, sign out, or sign its visitor in as somebody else (login CSRF). A request whose refresh
 * token travels in bodies passes: it neither uses nor gets a cookie. Clients that are no browsers send neither `Origin`
 * nor `Sec-Fetch-Site` and pass. An origin's refusals are logged once a minute, with what was compared.
 *
 * @param isAlwaysCookie for routes that take a cookie wherever the refresh token travels
 */
export function createCsrfGuard(
  settings: Settings,
  logger: Logger,
  warnings: WarningLimit,
  { isAlwaysCookie = false }: { readonly isAlwaysCookie?: boolean } = {},
): Before {
  const { refreshTokenAsCookie, trustedOrigins, publicUrl } = settings;
  const trusted = publicUrl === undefined ? trustedOrigins : [...trustedOrigins, new URL(publicUrl).origin];
  const guard: Before = (request, _response, next) => {
    const fault = transportFault(request, settings);
    if (fault) return next(fault);
    const isCookie = isAlwaysCookie || transportOf(request, settings) === 'cookie';
    if (!isCookie || isOwnOrTrusted(request, trusted)) return next();
    warn(request, { logger, warnings, trusted });
    next(authError('csrf_failed'));
  };
  if (refreshTokenAsCookie || isAlwaysCookie) guards.add(guard);
  return guard;
}

function warn(
  request: HttpRequest,
  { logger, warnings, trusted }: { logger: Logger; warnings: WarningLimit; trusted: readonly string[] },
): void {
  const { origin, 'sec-fetch-site': site } = request.headers;
  const compared = { host: hostOf(request)?.slice(0, LOGGED_LENGTH), protocol: request.protocol, trusted };
  const sent = { origin: origin?.slice(0, LOGGED_LENGTH), site: site?.slice(0, LOGGED_LENGTH) };
  const admitted = warnings.admit(JSON.stringify(sent));
  if (admitted) logger.warn({ code: ErrorCode.CsrfFailed, ...sent, ...compared, ...admitted }, REFUSED);
}

function isOwnOrTrusted(request: HttpRequest, trusted: readonly string[]): boolean {
  const { origin, 'sec-fetch-site': site } = request.headers;
  if (origin !== undefined) {
    return trusted.includes(origin) || isSameOrigin(origin, request.protocol, hostOf(request));
  }
  return site === undefined || site === 'same-origin' || site === 'none';
}

/** A page on https may speak to us though we see http: the TLS ends at a proxy. The other way round it is foreign. */
function isSameOrigin(origin: string, protocol: string, host: string | undefined): boolean {
  if (!URL.canParse(origin) || !host) return false;
  const { protocol: scheme, host: originHost } = new URL(origin);
  return originHost === host.toLowerCase() && (scheme === 'https:' || scheme === `${protocol}:`);
}
