import { isCookieSecure, type Settings } from '../settings/settings.js';
import type { CookieAttributes, HttpRequest, HttpResponse } from './http-message.js';

/** The cookies of a password reset and of an invitation. */
export type OneTimeCookieName = 'password_reset_access_token' | 'set_password_access_token';

/** The cookie that carries the key of a mailed link from its opening to the new password. */
export class OneTimeCookie {
  readonly #attributes: CookieAttributes;

  constructor(
    private readonly name: OneTimeCookieName,
    path: string,
    settings: Settings,
  ) {
    this.#attributes = { httpOnly: true, secure: isCookieSecure(settings), sameSite: 'lax', path };
  }

  /** The key; undefined where there is none. */
  read({ headers }: HttpRequest): string | undefined {
    const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim());
    const values = pairs
      .filter((pair) => pair.startsWith(`${this.name}=`))
      .map((pair) => pair.slice(this.name.length + 1));
    return values.find((value) => value !== '');
  }

  /** Keeps the key for so many seconds. */
  set(response: HttpResponse, key: string, seconds: number): void {
    response.cookie(this.name, key, { ...this.#attributes, maxAge: seconds * 1000 });
  }

  clear(response: HttpResponse): void {
    response.cookie(this.name, '', { ...this.#attributes, maxAge: 0 });
  }
}
