import type { JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';
import type { RefreshTokenTransportMode } from '../settings/cookie-settings.js';
import type { Settings } from '../settings/settings.js';
import type { HttpRequest } from './http-message.js';

/** The header with which a request chooses the transport, if REFRESH_TOKEN_TRANSPORT is `both`. */
export const AUTH_TRANSPORT = 'Auth-Transport';

/** How one request transports the refresh token. */
export type AuthTransport = Exclude<RefreshTokenTransportMode, 'both'>;

/**
 * How a request transports the refresh token: as the settings say or, if they allow both, as its header says. A page of
 * a foreign origin cannot set that header unless CORS allows it, so a forged request counts as one with a cookie.
 *
 * @throws bad_request for any other value, and for one that the settings do not allow
 */
export function transportOf({ headers }: HttpRequest, settings: Settings): AuthTransport {
  const mode = modeOf(settings);
  const requested = headers['auth-transport'] ?? (mode === 'both' ? 'cookie' : mode);
  const isAllowed = mode === 'both' || mode === requested;
  if ((requested === 'cookie' || requested === 'body') && isAllowed) return requested;
  const allowed = mode === 'both' ? 'cookie or body' : mode;
  throw authError('bad_request', { detail: `The header ${AUTH_TRANSPORT} must be ${allowed} here.` });
}

/** The error that `transportOf` would throw, if any. Checked before a request has an effect. */
export function transportFault(request: HttpRequest, settings: Settings): JwtAllauthError | undefined {
  try {
    transportOf(request, settings);
    return undefined;
  } catch (error) {
    return error as JwtAllauthError;
  }
}

/** Whether each request chooses the transport itself. */
export function isChosenByRequest(settings: Settings): boolean {
  return modeOf(settings) === 'both';
}

function modeOf({ refreshTokenTransport, refreshTokenAsCookie }: Settings): RefreshTokenTransportMode {
  return refreshTokenTransport ?? (refreshTokenAsCookie ? 'cookie' : 'body');
}
