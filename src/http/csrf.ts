import { ErrorCode, JwtAllauthError } from '../error.js';
import type { Settings } from '../settings/settings.js';
import type { Before, HttpRequest } from './http-message.js';

/**
 * Refuses a browser's request from a foreign site where a cookie is a credential or is about to become one: otherwise a
 * page elsewhere could refresh, sign out, or sign its visitor in as somebody else (login CSRF). Clients that are no
 * browsers send neither `Origin` nor `Sec-Fetch-Site` and pass.
 *
 * @param isAlwaysCookie for routes that take a cookie wherever the refresh token travels
 */
export function createCsrfGuard(
  { refreshTokenAsCookie, trustedOrigins }: Settings,
  { isAlwaysCookie = false }: { readonly isAlwaysCookie?: boolean } = {},
): Before {
  const isCookie = refreshTokenAsCookie || isAlwaysCookie;
  return (request, _response, next) => {
    if (!isCookie || isOwnOrTrusted(request, trustedOrigins)) return next();
    next(new JwtAllauthError(ErrorCode.CsrfFailed, 403, 'The request comes from an origin that is not trusted.'));
  };
}

function isOwnOrTrusted({ headers, protocol }: HttpRequest, trusted: readonly string[]): boolean {
  const { origin } = headers;
  if (origin !== undefined) return trusted.includes(origin) || isSameOrigin(origin, protocol, headers.host);
  const site = headers['sec-fetch-site'];
  return site === undefined || site === 'same-origin' || site === 'none';
}

/** A page on https may speak to us though we see http: the TLS ends at a proxy. The other way round it is foreign. */
function isSameOrigin(origin: string, protocol: string, host: string | undefined): boolean {
  if (!URL.canParse(origin) || !host) return false;
  const { protocol: scheme, host: originHost } = new URL(origin);
  return originHost === host.toLowerCase() && (scheme === 'https:' || scheme === `${protocol}:`);
}
