import { isCookieSecure } from '../settings/cookie-settings.js';
import type { Settings } from '../settings/settings.js';
import type { Tokens } from '../tokens/tokens.js';
import { cookieValues } from './cookie-values.js';
import type { CookieAttributes, HttpRequest, HttpResponse } from './http-message.js';
import { type CookieIdentity, currentIdentity, isHostName, olderIdentities } from './refresh-cookie-identity.js';

/** Cookies that are looked at: an honest browser has one, or a few right after DOMAIN or PATH were changed. */
const MOST = 4;

/** The form of a signed token; anything else is not counted, so that strays cannot displace ours. */
const TOKEN = /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/;

/** The cookie that carries the refresh token. */
export class RefreshCookie {
  readonly name: string;
  readonly #own: CookieIdentity;
  readonly #older: readonly CookieIdentity[];
  readonly #attributes: Omit<CookieAttributes, 'path'>;

  constructor(private readonly settings: Settings) {
    this.#own = currentIdentity(settings);
    this.#older = olderIdentities(settings);
    this.name = this.#own.name;
    this.#attributes = {
      httpOnly: settings.refreshTokenCookieHttpOnly,
      secure: isCookieSecure(settings),
      sameSite: settings.refreshTokenCookieSameSite,
    };
  }

  /**
   * The tokens that may sign a request in, at most four. A cookie for a parent domain or another path, and one that was
   * set before DOMAIN or PATH were changed, can come beside ours. Where ours has the `__Host-` prefix no other name
   * counts: any host of the domain could have set it (RFC 6265bis §4.1.3.2).
   */
  read(request: HttpRequest): string[] {
    return isHostName(this.name) ? tokensOf(request, new Set([this.name])) : this.readAll(request);
  }

  /** The tokens of a request whose sessions end with a new sign-in or a sign-out, at most four; ours come first. */
  readAll(request: HttpRequest): string[] {
    return tokensOf(request, new Set([this.#own, ...this.#older].map(({ name }) => name)));
  }

  /** Sets the cookie for as long as the token lives, and expires every other identity that it may have. */
  set(response: HttpResponse, { refresh, refreshExpiresAt }: Tokens, now: number): void {
    const left = refreshExpiresAt * 1000 - now;
    const limit = (this.settings.refreshTokenCookieMaxAge ?? Infinity) * 1000;
    for (const identity of this.#older) this.#write(response, identity, '', 0);
    // Last: clients with a simple jar keep the last one.
    this.#write(response, this.#own, refresh, Math.min(left, limit));
  }

  /** Expires the cookie under every identity that it may have. */
  clear(response: HttpResponse): void {
    for (const identity of [...this.#older, this.#own]) this.#write(response, identity, '', 0);
  }

  #write(response: HttpResponse, { name, ...identity }: CookieIdentity, value: string, maxAge: number): void {
    response.cookie(name, value, { ...this.#attributes, ...identity, maxAge });
  }
}

function tokensOf(request: HttpRequest, names: ReadonlySet<string>): string[] {
  const values = new Set([...names].flatMap((name) => cookieValues(request, name)));
  const tokens = [...values].filter((value) => TOKEN.test(value));
  return (tokens.length > 0 ? tokens : [...values]).slice(0, MOST);
}
