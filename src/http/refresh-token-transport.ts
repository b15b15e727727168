import type { Clock } from '../clock.js';
import { authError } from '../error-table.js';
import type { Logger } from '../observability/logger.js';
import type { SessionClient } from '../sessions/client-device.js';
import type { LogoutService } from '../sessions/logout.service.js';
import type { Settings } from '../settings/settings.js';
import type { Tokens } from '../tokens/tokens.js';
import { type AuthTransport, transportOf } from './auth-transport.js';
import { clientOf, type HttpRequest, type HttpResponse } from './http-message.js';
import { RefreshInput } from './refresh.input.js';
import type { RefreshCookie } from './refresh-cookie.js';
import { validateInput } from './validate-input.js';

/** The body of a token answer. */
export interface TokenBody {
  readonly access: string;
  /** Only where it does not travel in a cookie. */
  readonly refresh?: string;
}

/** Origins of which a warning is logged. */
const WARNED_ORIGINS = 100;

/** How refresh tokens travel: in a cookie or in bodies, as the settings or the request say; never both ways. */
export class RefreshTokenTransport {
  readonly #warned = new Set<string>();
  #hasWarnedOfPartition = false;

  constructor(
    private readonly kernel: {
      readonly settings: Settings;
      readonly clock: Clock;
      readonly logger: Logger;
      readonly logout: LogoutService;
    },
    private readonly cookie: RefreshCookie,
  ) {}

  /** The tokens to refresh with: one, or where several cookies came up to four. @throws refresh_token_missing */
  receive(request: HttpRequest, body: unknown): readonly string[] {
    return this.#received(request, body, () => this.cookie.read(request));
  }

  /** The tokens to sign out: as `receive`, with cookies that could not sign in. @throws refresh_token_missing */
  receiveAll(request: HttpRequest, body: unknown): readonly string[] {
    return this.#received(request, body, () => this.cookie.readAll(request));
  }

  #received(request: HttpRequest, body: unknown, cookies: () => readonly string[]): readonly string[] {
    const isCookie = this.#modeOf(request) === 'cookie';
    const tokens = isCookie ? cookies() : [validateInput(RefreshInput, body).refresh ?? ''];
    if (!tokens[0]) throw authError('refresh_token_missing');
    return tokens;
  }

  /** Whether refresh tokens can travel in a cookie, which is the only way for a page that a person opens. */
  get isCookieAllowed(): boolean {
    return this.kernel.settings.refreshTokenAsCookie;
  }

  #modeOf(request: HttpRequest): AuthTransport {
    return transportOf(request, this.kernel.settings);
  }

  /** Who signs in, with the sessions that `signIn` will end. */
  clientOf(request: HttpRequest): SessionClient {
    const client = clientOf(request);
    return this.#modeOf(request) === 'cookie'
      ? { ...client, replaces: this.kernel.logout.sessionsOf(this.cookie.readAll(request)) }
      : client;
  }

  /**
   * Hands the tokens of a new session to the client, as `deliver` does. The sessions of the cookies that came along are
   * ended: the browser forgets them, and a copy of them would live on. If that fails, the sign-in is still good.
   *
   * @throws bad_request where the request asks for a transport that the settings do not allow
   */
  async signIn(request: HttpRequest, response: HttpResponse, tokens: Tokens): Promise<TokenBody> {
    return this.#modeOf(request) === 'cookie'
      ? this.signInByCookie(request, response, tokens)
      : this.deliver(request, response, tokens);
  }

  /** As `signIn`, always by a cookie: for a page that a person has opened, which could not keep a body. */
  async signInByCookie(request: HttpRequest, response: HttpResponse, tokens: Tokens): Promise<TokenBody> {
    this.#warnOfLostCookie(request);
    await this.#endReplaced(this.cookie.readAll(request));
    return this.#setCookie(response, tokens);
  }

  /** Hands tokens to the client: what it returns is the body. */
  deliver(request: HttpRequest, response: HttpResponse, tokens: Tokens): TokenBody {
    if (this.#modeOf(request) === 'cookie') return this.#setCookie(response, tokens);
    return { access: tokens.access, refresh: tokens.refresh };
  }

  #setCookie(response: HttpResponse, tokens: Tokens): TokenBody {
    this.cookie.set(response, tokens, this.kernel.clock.now());
    this.#warnOfLostPartition(response);
    return { access: tokens.access };
  }

  /** Makes the client forget its refresh token, where that travels in a cookie. */
  forget(request: HttpRequest, response: HttpResponse): void {
    if (this.#modeOf(request) === 'cookie') this.cookie.clear(response);
  }

  /** Tells the operator, once per origin, that a browser will not send the cookie back. A navigation keeps it. */
  #warnOfLostCookie({ headers }: HttpRequest): void {
    const isLost = headers['sec-fetch-site'] === 'cross-site' && headers['sec-fetch-mode'] !== 'navigate';
    const origin = headers.origin?.slice(0, 200) ?? '';
    if (!isLost || this.kernel.settings.refreshTokenCookieSameSite === 'none') return;
    if (this.#warned.has(origin) || this.#warned.size >= WARNED_ORIGINS) return;
    this.#warned.add(origin);
    this.kernel.logger.warn(
      { origin, set: 'REFRESH_TOKEN_COOKIE_SAME_SITE=none, REFRESH_TOKEN_COOKIE_SECURE=true' },
      'the refresh cookie is not kept: the page is of another site',
    );
  }

  /** Tells the operator, once, that the app's Express does not know the attribute: its cookies are not partitioned. */
  #warnOfLostPartition(response: HttpResponse): void {
    if (!this.kernel.settings.refreshTokenCookiePartitioned || this.#hasWarnedOfPartition) return;
    if (String(response.getHeader('set-cookie')).includes('Partitioned')) return;
    this.#hasWarnedOfPartition = true;
    const set = 'REFRESH_TOKEN_COOKIE_PARTITIONED=false, or a newer Express';
    this.kernel.logger.warn({ set }, 'the refresh cookie is not partitioned: this Express drops the attribute');
  }

  async #endReplaced(replaced: readonly string[]): Promise<void> {
    try {
      if (replaced.length > 0) await this.kernel.logout.supersede(replaced);
    } catch (error) {
      const name = error instanceof Error ? error.name : typeof error;
      this.kernel.logger.warn({ error: name }, 'the session of a replaced refresh cookie was not ended');
    }
  }
}
