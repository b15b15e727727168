import type { OneTimeCookieName } from '../http/one-time-cookie.js';
import { RefreshCookie } from '../http/refresh-cookie.js';
import type { Settings } from '../settings/settings.js';

/** The scheme of access tokens. */
export const BEARER = 'bearerAuth';

/** The scheme of refresh tokens in cookies. */
export const REFRESH_COOKIE = 'refreshCookie';

/** The schemes of the cookies that a mailed link leaves behind. */
export const RESET_COOKIE = 'passwordResetCookie';
export const INVITATION_COOKIE = 'invitationCookie';
export const UNDO_COOKIE = 'emailUndoCookie';

/** How requests can show who sends them, by name. */
export function securitySchemes(settings: Settings): Record<string, Record<string, string>> {
  const cookie = (name: string, description: string) => ({ type: 'apiKey', in: 'cookie', name, description });
  const oneTime = (name: OneTimeCookieName) => cookie(name, 'Set when the mailed link is opened; good once.');
  return {
    [BEARER]: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'An access token.' },
    [REFRESH_COOKIE]: cookie(new RefreshCookie(settings).name, 'The refresh token.'),
    [RESET_COOKIE]: oneTime('password_reset_access_token'),
    [INVITATION_COOKIE]: oneTime('set_password_access_token'),
    [UNDO_COOKIE]: oneTime('email_undo_access_token'),
  };
}
