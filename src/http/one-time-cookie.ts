import { isCookieSecure, type Settings } from '../settings/settings.js';
import type { CookieAttributes, HttpRequest, HttpResponse } from './http-message.js';

/** The cookies of a password reset, of an invitation, and of the browser that signed up. */
export type OneTimeCookieName =
  | 'password_reset_access_token'
  | 'set_password_access_token'
  | 'email_verification_access_token';

/** Cookies of one name that are looked at: a sibling domain may have set one before ours. */
const MOST = 3;

/** The cookie that carries the key of a mailed link from its opening to the new password, or what a sign-up leaves behind. */
export class OneTimeCookie {
  readonly #attributes: CookieAttributes;

  constructor(
    private readonly name: OneTimeCookieName,
    path: string,
    settings: Settings,
  ) {
    this.#attributes = { httpOnly: true, secure: isCookieSecure(settings), sameSite: 'lax', path };
  }

  /** What the cookies of this name say; none where there is none. */
  read({ headers }: HttpRequest): readonly string[] {
    const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim());
    const values = pairs
      .filter((pair) => pair.startsWith(`${this.name}=`))
      .map((pair) => pair.slice(this.name.length + 1));
    return values.filter((value) => value !== '').slice(0, MOST);
  }

  /** Keeps the key for so many seconds. */
  set(response: HttpResponse, key: string, seconds: number): void {
    response.cookie(this.name, key, { ...this.#attributes, maxAge: seconds * 1000 });
  }

  clear(response: HttpResponse): void {
    response.cookie(this.name, '', { ...this.#attributes, maxAge: 0 });
  }
}
