import { AuthError } from './auth-error.js';

/** Milliseconds before its end within which a token is renewed; a tenth of its life, if that is less. */
const LONGEST_MARGIN = 60_000;

/** Claims of every access token; an app's own come beside them. Instants are seconds since 1970 by the server's clock. */
export interface AccessTokenClaims {
  /** The user's id. */
  readonly sub: string;
  readonly jti: string;
  readonly iat: number;
  readonly exp: number;
  /** The session's id. */
  readonly session: string;
  readonly session_iat: number;
  readonly role: number;
  readonly email_verified: boolean;
}

/**
 * An access token as this machine sees it: how old it is counts from when it came, because the machine's clock may be wrong
 * by hours. The claims are read, not verified: that is for servers.
 */
export class AccessToken<Claims extends object = object> {
  readonly claims: Readonly<AccessTokenClaims & Claims>;
  readonly #life: number;

  /**
   * @param receivedAt milliseconds since 1970, by the clock of this machine
   * @throws AuthError `unexpected_answer` if it is no token
   */
  constructor(
    readonly text: string,
    readonly receivedAt: number,
  ) {
    try {
      const [, payload = ''] = text.split('.');
      const bytes = Uint8Array.from(atob(payload.replace(/-/g, '+').replace(/_/g, '/')), (each) => each.charCodeAt(0));
      this.claims = Object.freeze(JSON.parse(new TextDecoder().decode(bytes)));
      this.#life = (this.claims.exp - this.claims.iat) * 1000;
    } catch (cause) {
      throw new AuthError('unexpected_answer', 200, 'The server answered no token.', [], undefined, cause);
    }
  }

  /** When it ends, in milliseconds since 1970 by the clock of this machine. */
  get expiresAt(): number {
    return this.receivedAt + this.#life;
  }

  /** Whether it is far enough from its end to be sent. */
  isFresh(now: number): boolean {
    return this.#lasts(now, Math.min(LONGEST_MARGIN, this.#life / 10));
  }

  /** Whether a server would still take it. */
  isAlive(now: number): boolean {
    return this.#lasts(now, 0);
  }

  /** A clock that was set back tells nothing of an age: then the token counts as old. */
  #lasts(now: number, margin: number): boolean {
    return now >= this.receivedAt && now < this.expiresAt - margin;
  }
}
