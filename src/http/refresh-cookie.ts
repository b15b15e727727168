import { isCookieSecure, isHostCookie, type Settings } from '../settings/settings.js';
import type { Tokens } from '../tokens/tokens.js';
import type { CookieAttributes, HttpRequest, HttpResponse } from './http-message.js';

/** The cookie that carries the refresh token. */
export class RefreshCookie {
  readonly name: string;
  readonly #attributes: CookieAttributes;

  constructor(private readonly settings: Settings) {
    this.name = settings.refreshTokenCookieName ?? (isHostCookie(settings) ? '__Host-refresh_token' : 'refresh_token');
    this.#attributes = {
      httpOnly: settings.refreshTokenCookieHttpOnly,
      secure: isCookieSecure(settings),
      sameSite: settings.refreshTokenCookieSameSite,
      path: settings.refreshTokenCookiePath,
      domain: settings.refreshTokenCookieDomain,
    };
  }

  /** Every value under our name: a cookie set for a parent domain or another path can come beside ours. */
  read({ headers }: HttpRequest): string[] {
    return (headers.cookie ?? '')
      .split(';')
      .map((pair) => pair.trim())
      .filter((pair) => pair.startsWith(`${this.name}=`))
      .map((pair) => pair.slice(this.name.length + 1))
      .filter((value) => value !== '');
  }

  /** Sets the cookie for as long as the token lives. */
  set(response: HttpResponse, { refresh, refreshExpiresAt }: Tokens, now: number): void {
    const left = refreshExpiresAt * 1000 - now;
    const limit = this.settings.refreshTokenCookieMaxAge;
    response.cookie(this.name, refresh, { ...this.#attributes, maxAge: Math.min(left, (limit ?? Infinity) * 1000) });
  }

  clear(response: HttpResponse): void {
    response.cookie(this.name, '', { ...this.#attributes, maxAge: 0 });
  }
}
