import { isCookieSecure } from '../settings/cookie-settings.js';
import type { Settings } from '../settings/settings.js';
import { cookieValues } from './cookie-values.js';
import type { CookieAttributes, HttpRequest, HttpResponse } from './http-message.js';

/** Maximum number of cookies of one name that are read: a sibling domain may have set one that comes first. */
const MAX_COOKIES = 3;

/**
 * A cookie that keeps the key of a mailed link from its opening until the key is used up, or that marks the browser of
 * a sign-up or of a sign-in with a provider.
 */
export class OneTimeCookie {
  readonly #attributes: CookieAttributes;
  readonly #name: string;

  /** A Secure cookie gets the `__Host-` prefix, so that no other host of the domain can set it. */
  constructor(name: string, path: string, settings: Settings) {
    const secure = isCookieSecure(settings);
    this.#name = secure ? `__Host-${name}` : name;
    this.#attributes = { httpOnly: true, secure, sameSite: 'lax', path: secure ? '/' : path };
  }

  /** The values of the cookies of this name; empty without one. */
  read(request: HttpRequest): readonly string[] {
    return cookieValues(request, this.#name).slice(0, MAX_COOKIES);
  }

  /** Sets the cookie for this number of seconds. */
  set(response: HttpResponse, key: string, seconds: number): void {
    response.cookie(this.#name, key, { ...this.#attributes, maxAge: seconds * 1000 });
  }

  clear(response: HttpResponse): void {
    response.cookie(this.#name, '', { ...this.#attributes, maxAge: 0 });
  }
}
