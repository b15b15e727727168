import type { JwtAllauthError } from '../../error.js';
import { socialError } from './social-errors.js';

/** Maximum length of a `returnTo`. */
const MAX_LENGTH = 2000;

/** Characters that URL parsers remove or read in different ways. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it finds
const AMBIGUOUS = /[\u0000-\u0020\u007f-\u009f\\]/;

/** Segments that browsers and servers may decode to `.`, `..` or a separator. */
const ENCODED_SEPARATOR = /%(?:2e|2f|5c)/i;

/** Schemes that a browser executes or reads locally, and that a URL to return to must never have. */
const FORBIDDEN_SCHEMES = ['javascript:', 'data:', 'vbscript:', 'file:', 'blob:', 'about:'];

/** Whether a text can be a member of SOCIAL_RETURN_URLS: an origin, or the scheme and host of an app, with a path. */
export function isReturnUrlRule(value: unknown): boolean {
  if (typeof value !== 'string' || AMBIGUOUS.test(value) || !URL.canParse(value)) return false;
  const { protocol, host, username, password, search, hash } = new URL(value);
  if (FORBIDDEN_SCHEMES.includes(protocol) || username || password || search || hash) return false;
  return host !== '' && /^[a-z][a-z0-9+.-]*:\/\//i.test(value) && !/[?#]/.test(value) && !ENCODED_SEPARATOR.test(value);
}

/**
 * The URLs to which a sign-in may return. They are compared after parsing: scheme, host and port must be equal, and the
 * path must equal the allowed one or be below it, at the boundary of a segment.
 */
export class ReturnUrls {
  readonly #base: URL;
  readonly #allowed: readonly URL[];

  /**
   * @param publicUrl relative URLs are resolved against its origin, which is the default
   * @param allowed SOCIAL_RETURN_URLS. Empty: every path of the origin of `publicUrl`
   * @param setting the name of SOCIAL_RETURN_URLS, for the log
   */
  constructor(
    publicUrl: string,
    allowed: readonly string[],
    private readonly setting = 'SOCIAL_RETURN_URLS',
  ) {
    this.#base = new URL('/', publicUrl);
    this.#allowed = allowed.length > 0 ? allowed.map((url) => new URL(url)) : [this.#base];
  }

  /**
   * The URL to return to.
   *
   * @param returnTo what the request asks for: a path, or a URL. Default: the origin of PUBLIC_URL, or else the first
   * allowed URL
   * @throws return_url_not_allowed
   */
  resolve(returnTo: unknown): string {
    if (returnTo === undefined) {
      const first = this.#isAllowed(this.#base) ? this.#base : this.#allowed[0];
      return (first ?? this.#base).href;
    }
    const url = this.#parse(returnTo);
    if (!url || !this.#isAllowed(url)) throw this.#refusal(returnTo);
    return url.href;
  }

  #refusal(returnTo: unknown): JwtAllauthError {
    const url = withoutData(returnTo);
    const why = url.endsWith('#…') ? `returnTo has a fragment: ${url}` : `${this.setting} does not allow ${url}`;
    return socialError('return_url_not_allowed', { cause: new Error(why) });
  }

  #parse(returnTo: unknown): URL | undefined {
    if (typeof returnTo !== 'string' || returnTo.length > MAX_LENGTH || AMBIGUOUS.test(returnTo)) return undefined;
    // A path has one slash at its start, and a URL has a scheme and two. Everything else has several readings.
    if (!/^\/(?!\/)/.test(returnTo) && !/^[a-z][a-z0-9+.-]*:\/\/[^/]/i.test(returnTo)) return undefined;
    return URL.parse(returnTo, this.#base.href) ?? undefined;
  }

  #isAllowed(url: URL): boolean {
    const { username, password, hash, pathname } = url;
    // The answer is written into the fragment. An empty fragment (`#`) has no effect.
    if (username || password || hash || ENCODED_SEPARATOR.test(pathname)) return false;
    return this.#allowed.some((allowed) => isSameOrigin(url, allowed) && isBelow(pathname, allowed.pathname));
  }
}

/** A URL for the log: its query, its fragment and its credentials may contain secrets. */
function withoutData(url: unknown): string {
  if (typeof url !== 'string') return typeof url;
  return url.replace(/(?<=[?#]).*/s, '…').replace(/(?<=\/\/)[^/]*@/, '…@');
}

/** Compares scheme, host and port. `URL.origin` is `null` for the schemes of apps. */
function isSameOrigin(one: URL, other: URL): boolean {
  return one.protocol === other.protocol && one.host === other.host;
}

function isBelow(path: string, allowed: string): boolean {
  const prefix = allowed.replace(/\/$/, '');
  return path === allowed || path === prefix || path.startsWith(`${prefix}/`);
}
