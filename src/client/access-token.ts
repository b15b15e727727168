import { unexpected } from './auth-error.js';

/** Milliseconds before its end at which a token is renewed at the earliest; a fifth of its life, if that is less. */
const LONGEST_MARGIN = 300_000;

/**
 * Claims of every access token; an app's own come beside them. Instants are seconds since 1970 by the server's clock.
 */
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
  /** How the user proved who they are (RFC 8176): `pwd`, `mail` … */
  readonly amr?: readonly string[];
  /** When the user last proved it; a refresh does not move it. */
  readonly auth_time?: number;
}

/**
 * An access token as this machine sees it: how old it is counts from when it came, because the machine's clock may be
 * wrong by hours. The claims are read, not verified: that is for servers.
 */
export class AccessToken<Claims extends object = object> {
  readonly claims: Readonly<AccessTokenClaims & Claims>;
  /** When it ends, in milliseconds since 1970 by the clock of this machine. */
  readonly expiresAt: number;
  readonly #renewedAt: number;

  /**
   * @param receivedAt milliseconds since 1970, by the clock of this machine
   * @param chance from 0 to 1, the same in every tab: decides when the token is renewed. A thief who has copied the
   * refresh token must not know when its owner will use it.
   * @throws AuthError `unexpected_answer` if it is no token
   */
  constructor(
    readonly text: string,
    readonly receivedAt: number,
    readonly chance = Math.random(),
  ) {
    try {
      const [, payload = ''] = text.split('.');
      const bytes = atob(payload.replace(/-/g, '+').replace(/_/g, '/'));
      // UTF-8 as the percent-encoding of a URI: React Native has no TextDecoder.
      this.claims = JSON.parse(decodeURIComponent(escape(bytes)));
      const life = (this.claims.exp - this.claims.iat) * 1000;
      this.expiresAt = receivedAt + life;
      this.#renewedAt = this.expiresAt - Math.min(LONGEST_MARGIN, life / 5) * (0.25 + 0.75 * chance);
    } catch (cause) {
      throw unexpected(200, undefined, cause);
    }
  }

  /** Whether it is far enough from its end to be sent. */
  isFresh(now: number): boolean {
    return now < this.#renewedAt && this.isAlive(now);
  }

  /**
   * Whether a server would still take it. A clock that was set back says nothing about an age: then the token counts as
   * old.
   */
  isAlive(now: number): boolean {
    return now < this.expiresAt && now >= this.receivedAt;
  }
}
