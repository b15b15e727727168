import { ErrorCode } from '../error.js';
import type { CredentialCookie, RouteAnswer } from './route-description.js';

/** The group of the routes that send mails, and of those that mailed links open. */
export const MAIL_TAG = 'Accounts by mail';

/** The description that all routes of mailed links share. */
export const LINK_PAGE = { tag: MAIL_TAG, errors: [ErrorCode.TokenNotValid], isLimited: true } as const;

/** The description of opening a link whose key is used up by a form. */
export const MOVES_KEY_TO_COOKIE = 'Moves the key of the link into a cookie. It does not use the key up.';

/** The answer of a link whose key was moved into a cookie. */
export function redirectAnswer(description: string, location: string): RouteAnswer {
  return { description, headers: { Location: location, 'Set-Cookie': 'Sets the cookie of the link.' } };
}

/** The cookie that opening a mailed link sets. */
export function linkCookie(scheme: string, name: string): CredentialCookie {
  return { scheme, name, description: 'Set when the mailed link is opened; can be used once.' };
}
