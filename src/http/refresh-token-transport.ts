import type { Clock } from '../clock.js';
import { ErrorCode, JwtAllauthError } from '../error.js';
import type { Settings } from '../settings/settings.js';
import type { TokenFactory } from '../tokens/token-factory.js';
import type { Tokens } from '../tokens/tokens.js';
import type { HttpRequest, HttpResponse } from './http-message.js';
import { RefreshInput } from './inputs/refresh.input.js';
import type { RefreshCookie } from './refresh-cookie.js';
import { validateInput } from './validate-input.js';

/** The body of a token answer. */
export interface TokenBody {
  readonly access: string;
  /** Only where REFRESH_TOKEN_AS_COOKIE is false. */
  readonly refresh?: string;
}

/** How refresh tokens travel: in a cookie or in bodies, as the settings say; never both ways. */
export class RefreshTokenTransport {
  constructor(
    private readonly settings: Settings,
    private readonly cookie: RefreshCookie,
    private readonly tokens: TokenFactory,
    private readonly clock: Clock,
  ) {}

  /** The refresh token of a request. Of several cookies the first that verifies decides. @throws refresh_token_missing */
  receive(request: HttpRequest, body: unknown): string {
    const token = this.settings.refreshTokenAsCookie
      ? this.#firstValid(this.cookie.read(request))
      : validateInput(RefreshInput, body).refresh;
    if (!token)
      throw new JwtAllauthError(ErrorCode.RefreshTokenMissing, 400, 'There is no refresh token in the request.');
    return token;
  }

  /** Whether the refresh token travels in a cookie. */
  get isCookie(): boolean {
    return this.settings.refreshTokenAsCookie;
  }

  /** Hands tokens to the client: what it returns is the body. */
  deliver(response: HttpResponse, tokens: Tokens): TokenBody {
    if (!this.settings.refreshTokenAsCookie) return { access: tokens.access, refresh: tokens.refresh };
    this.cookie.set(response, tokens, this.clock.now());
    return { access: tokens.access };
  }

  /** Makes the client forget its refresh token. */
  forget(response: HttpResponse): void {
    if (this.settings.refreshTokenAsCookie) this.cookie.clear(response);
  }

  #firstValid(candidates: readonly string[]): string | undefined {
    if (candidates.length < 2) return candidates[0];
    return candidates.find((token) => this.#isValid(token)) ?? candidates[0];
  }

  #isValid(token: string): boolean {
    try {
      this.tokens.verifyRefresh(token);
      return true;
    } catch {
      return false;
    }
  }
}
