import type { Clock } from '../clock.js';
import type { RequestProofs } from '../dpop/request-proofs.js';
import { hostOf } from '../dpop/requested-url.js';
import { JwtAllauthError } from '../error.js';
import { authError, type TableErrorOptions } from '../error-table.js';
import { isLoopback } from '../loopback.js';
import type { Logger } from '../observability/logger.js';
import type { SessionClient } from '../sessions/client-device.js';
import type { LogoutService } from '../sessions/logout.service.js';
import { namesOf, withNames } from '../settings/setting-names.js';
import type { Settings } from '../settings/settings.js';
import type { Tokens } from '../tokens/tokens.js';
import { AUTH_TRANSPORT, type AuthTransport, isChosenByRequest, transportOf } from './auth-transport.js';
import { clientOf, type HttpRequest, type HttpResponse } from './http-message.js';
import { isJsonObject } from './json-object.js';
import { RefreshInput } from './refresh.input.js';
import type { RefreshCookie } from './refresh-cookie.js';
import { validateInput } from './validate-input.js';

/** The body of an answer with tokens. */
export interface TokenBody {
  readonly access: string;
  /** Only if the refresh token does not travel in a cookie. */
  readonly refresh?: string;
  /** Only with ACCESS_TOKEN_BINDING, for a bound session: how requests send the access token (RFC 9449 §5). */
  readonly token_type?: 'DPoP';
}

/** Maximum number of origins for which a warning is logged. */
const MAX_WARNED_ORIGINS = 100;

/**
 * Receives and sends refresh tokens: in a cookie or in bodies, as the settings or the request say, and never both ways.
 */
export class RefreshTokenTransport {
  readonly #warned = new Set<string>();
  #hasWarnedOfPartition = false;

  constructor(
    private readonly kernel: {
      readonly settings: Settings;
      readonly clock: Clock;
      readonly logger: Logger;
      readonly logout: LogoutService;
      readonly requestProofs: RequestProofs;
    },
    private readonly cookie: RefreshCookie,
  ) {}

  /** The tokens to refresh with: one, or up to four if several cookies were sent. @throws refresh_token_missing */
  receive(request: HttpRequest, body: unknown): readonly string[] {
    return this.#received(request, body, () => this.cookie.read(request));
  }

  /**
   * The tokens to sign out: like `receive`, but including cookies that cannot be used to refresh. @throws
   * refresh_token_missing
   */
  receiveAll(request: HttpRequest, body: unknown): readonly string[] {
    return this.#received(request, body, () => this.cookie.readAll(request));
  }

  #received(request: HttpRequest, body: unknown, cookies: () => readonly string[]): readonly string[] {
    const isCookie = this.#modeOf(request) === 'cookie';
    const tokens = isCookie ? cookies() : [tokenIn(body)];
    if (!tokens[0]) throw authError('refresh_token_missing', isCookie ? this.#hintFor(body) : {});
    return tokens;
  }

  /** Names the missing header to a client that sent its token in the body, where each request chooses the transport. */
  #hintFor(body: unknown): TableErrorOptions {
    const isInBody = Boolean((body as RefreshInput | undefined)?.refresh);
    if (!isInBody || !isChosenByRequest(this.kernel.settings)) return {};
    return { detail: `The request has no refresh cookie. For a token in the body, send ${AUTH_TRANSPORT}: body.` };
  }

  /** Whether the settings allow the cookie, which is the only transport for a page that a person opens. */
  get isCookieAllowed(): boolean {
    return this.kernel.settings.refreshTokenAsCookie;
  }

  #modeOf(request: HttpRequest): AuthTransport {
    return transportOf(request, this.kernel.settings);
  }

  /**
   * The client of a sign-in, with the sessions that `signIn` will revoke, and with its DPoP proof.
   *
   * @throws dpop_proof_missing, dpop_proof_invalid, use_dpop_nonce
   */
  clientOf(request: HttpRequest): SessionClient {
    return { ...this.#replacingClientOf(request), proof: this.kernel.requestProofs.ofSignIn(request) };
  }

  /** The client of a sign-in by a page that a browser opens. Such a request has no proof. */
  pageClientOf(request: HttpRequest): SessionClient {
    return { ...this.#replacingClientOf(request), isPage: true };
  }

  /** The client of a request to an existing session, with its DPoP proof or what is wrong with it. */
  boundClientOf(request: HttpRequest): SessionClient {
    const client = clientOf(request);
    if (request.headers['dpop'] === undefined) return client;
    try {
      return { ...client, proof: this.kernel.requestProofs.read(request) };
    } catch (error) {
      if (error instanceof JwtAllauthError) return { ...client, proofFault: error };
      throw error;
    }
  }

  #replacingClientOf(request: HttpRequest): SessionClient {
    const client = clientOf(request);
    return this.#modeOf(request) === 'cookie'
      ? { ...client, replaces: this.kernel.logout.sessionsOf(this.cookie.readAll(request)) }
      : client;
  }

  /**
   * Sends the tokens of a new session, like `deliver`. In cookie mode, also revokes the sessions of the cookies in the
   * request: the browser replaces these cookies, but a copy would stay usable. If the revocation fails, the sign-in
   * still succeeds.
   *
   * @throws bad_request if the request asks for a transport that the settings do not allow
   */
  async signIn(request: HttpRequest, response: HttpResponse, tokens: Tokens): Promise<TokenBody> {
    return this.#modeOf(request) === 'cookie'
      ? this.signInByCookie(request, response, tokens)
      : this.deliver(request, response, tokens);
  }

  /** Like `signIn`, but always with a cookie: for an HTML page, which cannot keep the body. */
  async signInByCookie(request: HttpRequest, response: HttpResponse, tokens: Tokens): Promise<TokenBody> {
    this.#warnIfCookieIsRejected(request);
    await this.#revokeReplaced(this.cookie.readAll(request));
    return this.#setCookie(response, tokens);
  }

  /** Sends tokens to the client. @returns the body of the answer */
  deliver(request: HttpRequest, response: HttpResponse, tokens: Tokens): TokenBody {
    if (this.#modeOf(request) === 'cookie') return this.#setCookie(response, tokens);
    return { ...this.accessOf(tokens), refresh: tokens.refresh };
  }

  #setCookie(response: HttpResponse, tokens: Tokens): TokenBody {
    this.cookie.set(response, tokens, this.kernel.clock.now());
    this.#warnIfPartitionIsDropped(response);
    return this.accessOf(tokens);
  }

  /** The part of a body with the access token, and how to send it. */
  accessOf({ access, isBound }: Pick<Tokens, 'access' | 'isBound'>): TokenBody {
    return this.kernel.settings.accessTokenBinding && isBound ? { access, token_type: 'DPoP' } : { access };
  }

  /** Removes the refresh token from the client, if it travels in a cookie. */
  forget(request: HttpRequest, response: HttpResponse): void {
    if (this.#modeOf(request) === 'cookie') this.cookie.clear(response);
  }

  /**
   * Logs a warning, once per origin, if the browser will not store the cookie because the page belongs to another site.
   * After a navigation the browser stores it.
   */
  #warnIfCookieIsRejected(request: HttpRequest): void {
    const { headers } = request;
    const isRejected = headers['sec-fetch-site'] === 'cross-site' && headers['sec-fetch-mode'] !== 'navigate';
    const origin = headers.origin?.slice(0, 200) ?? '';
    if (!isRejected || this.kernel.settings.refreshTokenCookieSameSite === 'none') return;
    if (this.#warned.has(origin) || this.#warned.size >= MAX_WARNED_ORIGINS) return;
    this.#warned.add(origin);
    const set = hasTwoLoopbackNames(origin, `http://${hostOf(request)}`)
      ? 'localhost as the host of the page and of the API'
      : this.#named('{refreshTokenCookieSameSite}=none, {refreshTokenCookieSecure}=true');
    this.kernel.logger.warn(
      { origin, set },
      'the browser will not store the refresh cookie: the page belongs to another site',
    );
  }

  /** Logs a warning, once, if the app's version of Express drops the attribute `Partitioned`. */
  #warnIfPartitionIsDropped(response: HttpResponse): void {
    if (!this.kernel.settings.refreshTokenCookiePartitioned || this.#hasWarnedOfPartition) return;
    if (String(response.getHeader('set-cookie')).includes('Partitioned')) return;
    this.#hasWarnedOfPartition = true;
    const set = this.#named('{refreshTokenCookiePartitioned}=false, or a newer Express');
    this.kernel.logger.warn(
      { set },
      'the refresh cookie is not partitioned: this version of Express drops the attribute',
    );
  }

  /** A text with the settings as the operator named them. */
  #named(text: string): string {
    return withNames(text, namesOf(this.kernel.settings));
  }

  async #revokeReplaced(replaced: readonly string[]): Promise<void> {
    try {
      if (replaced.length > 0) await this.kernel.logout.supersede(replaced);
    } catch (error) {
      const name = error instanceof Error ? error.name : typeof error;
      this.kernel.logger.warn({ error: name }, 'the session of a replaced refresh cookie was not revoked');
    }
  }
}

/**
 * The refresh token in a body, or an empty text. The usual body has only this field, with a text, so it fulfils the
 * rules of `RefreshInput`. It is accepted without running them, because class-validator costs more than a signature.
 *
 * @throws validation_failed
 */
function tokenIn(body: unknown): string {
  if (isJsonObject(body)) {
    const { refresh } = body as RefreshInput;
    if (typeof refresh === 'string' && Object.keys(body).join() === 'refresh') return refresh;
  }
  return validateInput(RefreshInput, body).refresh ?? '';
}

/** Whether page and API use two names of the developer's own machine. For a browser, these are two sites. */
function hasTwoLoopbackNames(page: string, api: string): boolean {
  const names = [page, api].map((origin) => (URL.canParse(origin) ? new URL(origin).hostname : ''));
  return names[0] !== names[1] && names.every(isLoopback);
}
