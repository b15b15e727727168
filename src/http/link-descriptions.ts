import { ErrorCode } from '../error.js';
import type { OneTimeCookieName } from './one-time-cookie.js';
import type { CredentialCookie, RouteAnswer } from './route-description.js';

/** The group of the routes that send or open mails. */
export const MAIL_TAG = 'Accounts by mail';

/** What is the same for every route that a person opens with a mailed key. */
export const LINK_PAGE = { tag: MAIL_TAG, errors: [ErrorCode.TokenNotValid], isLimited: true } as const;

/** What opening a link does whose key is good for one form. */
export const MOVES_KEY_TO_COOKIE = 'Moves the key of the link into a cookie; uses nothing up.';

/** The answer of a link whose key has moved into a cookie. */
export function redirectAnswer(description: string, location: string): RouteAnswer {
  return { description, headers: { Location: location, 'Set-Cookie': 'Sets the cookie of the link.' } };
}

/** The cookie that a mailed link leaves behind. */
export function linkCookie(scheme: string, name: OneTimeCookieName): CredentialCookie {
  return { scheme, name, description: 'Set when the mailed link is opened; good once.' };
}
