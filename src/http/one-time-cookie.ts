import { isCookieSecure } from '../settings/cookie-settings.js';
import type { Settings } from '../settings/settings.js';
import { cookieValues } from './cookie-values.js';
import type { CookieAttributes, HttpRequest, HttpResponse } from './http-message.js';

/** The cookies of a password reset, of an invitation, of a changed address, and of the browser that signed up. */
export type OneTimeCookieName =
  | 'password_reset_access_token'
  | 'set_password_access_token'
  | 'email_undo_access_token'
  | 'email_verification_access_token';

/** Cookies of one name that are looked at: a sibling domain may have set one before ours. */
const MOST = 3;

/**
 * The cookie that carries the key of a mailed link from its opening to the new password, or what a sign-up leaves
 * behind.
 */
export class OneTimeCookie {
  readonly #attributes: CookieAttributes;
  readonly #name: string;

  /** Where the cookie is Secure it has the `__Host-` prefix, so that no other host of the domain can set it. */
  constructor(name: OneTimeCookieName, path: string, settings: Settings) {
    const secure = isCookieSecure(settings);
    this.#name = secure ? `__Host-${name}` : name;
    this.#attributes = { httpOnly: true, secure, sameSite: 'lax', path: secure ? '/' : path };
  }

  /** What the cookies of this name say; none where there is none. */
  read(request: HttpRequest): readonly string[] {
    return cookieValues(request, this.#name).slice(0, MOST);
  }

  /** Keeps the key for so many seconds. */
  set(response: HttpResponse, key: string, seconds: number): void {
    response.cookie(this.#name, key, { ...this.#attributes, maxAge: seconds * 1000 });
  }

  clear(response: HttpResponse): void {
    response.cookie(this.#name, '', { ...this.#attributes, maxAge: 0 });
  }
}
