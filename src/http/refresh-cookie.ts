import { isCookieSecure } from '../settings/cookie-settings.js';
import type { Settings } from '../settings/settings.js';
import type { Tokens } from '../tokens/tokens.js';
import { cookieValues } from './cookie-values.js';
import type { CookieAttributes, HttpRequest, HttpResponse } from './http-message.js';
import { type CookieIdentity, currentIdentity, isHostName, olderIdentities } from './refresh-cookie-identity.js';

/** Maximum number of cookies that are read: a browser has one, or a few just after DOMAIN or PATH were changed. */
const MAX_COOKIES = 4;

/** The form of a signed token. Other values count only if no value has this form: they must not displace a token. */
const TOKEN = /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/;

/** The cookie that carries the refresh token. */
export class RefreshCookie {
  readonly name: string;
  readonly #current: CookieIdentity;
  readonly #older: readonly CookieIdentity[];
  readonly #attributes: Omit<CookieAttributes, 'path'>;

  constructor(private readonly settings: Settings) {
    this.#current = currentIdentity(settings);
    this.#older = olderIdentities(settings);
    this.name = this.#current.name;
    this.#attributes = {
      httpOnly: settings.refreshTokenCookieHttpOnly,
      secure: isCookieSecure(settings),
      sameSite: settings.refreshTokenCookieSameSite,
    };
  }

  /**
   * The tokens with which a request may refresh, at most four. The cookie can come together with one for a parent
   * domain or another path, and with one that was set before DOMAIN or PATH were changed. If the name has the `__Host-`
   * prefix, cookies of other names do not count: any host of the domain could have set them (RFC 6265bis §4.1.3.2).
   */
  read(request: HttpRequest): string[] {
    return isHostName(this.name) ? tokensOf(request, new Set([this.name])) : this.readAll(request);
  }

  /**
   * The tokens whose sessions end with a new sign-in or a sign-out, at most four. Those with the current name come
   * first.
   */
  readAll(request: HttpRequest): string[] {
    return tokensOf(request, new Set([this.#current, ...this.#older].map(({ name }) => name)));
  }

  /**
   * Sets the cookie for the rest of the token's lifetime, or for REFRESH_TOKEN_COOKIE_MAX_AGE if that is shorter.
   * Expires it under every older identity.
   */
  set(response: HttpResponse, { refresh, refreshExpiresAt }: Tokens, now: number): void {
    const remainingMs = refreshExpiresAt * 1000 - now;
    const limitMs = (this.settings.refreshTokenCookieMaxAge ?? Infinity) * 1000;
    for (const identity of this.#older) this.#write(response, identity, '', 0);
    // Last, because clients with a simple cookie jar keep the last one.
    this.#write(response, this.#current, refresh, Math.min(remainingMs, limitMs));
  }

  /** Expires the cookie under its current and every older identity. */
  clear(response: HttpResponse): void {
    for (const identity of [...this.#older, this.#current]) this.#write(response, identity, '', 0);
  }

  #write(response: HttpResponse, { name, ...identity }: CookieIdentity, value: string, maxAge: number): void {
    response.cookie(name, value, { ...this.#attributes, ...identity, maxAge });
  }
}

function tokensOf(request: HttpRequest, names: ReadonlySet<string>): string[] {
  const values = new Set([...names].flatMap((name) => cookieValues(request, name)));
  const tokens = [...values].filter((value) => TOKEN.test(value));
  return (tokens.length > 0 ? tokens : [...values]).slice(0, MAX_COOKIES);
}
