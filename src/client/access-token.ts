import { unexpectedAnswer } from './auth-error.js';
import { MAX_MARGIN_MS } from './timing.js';

/** Claims of every access token; an app can add its own. Instants are seconds since 1970 by the server's clock. */
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
  /** The authentication methods (RFC 8176): `pwd`, `mail` … */
  readonly amr?: readonly string[];
  /** The time of the last authentication. A refresh does not change it. */
  readonly auth_time?: number;
}

/**
 * An access token. Its age counts from when it arrived, because this machine's clock may be wrong by hours. The claims
 * are decoded but not verified: servers verify them.
 */
export class AccessToken<Claims extends object = object> {
  readonly claims: Readonly<AccessTokenClaims & Claims>;
  /** When the token expires, in milliseconds since 1970 by this machine's clock. */
  readonly expiresAt: number;
  readonly #renewedAt: number;

  /**
   * @param receivedAt milliseconds since 1970 by this machine's clock
   * @param chance from 0 to 1, the same in every tab. It varies the time of the renewal, so that a thief with a copied
   * refresh token cannot predict it.
   * @throws AuthError `unexpected_answer` if `text` is not a token
   */
  constructor(
    readonly text: string,
    readonly receivedAt: number,
    readonly chance = Math.random(),
  ) {
    try {
      const bytes = atob((text.split('.')[1] as string).replace(/-/g, '+').replace(/_/g, '/'));
      // Decodes UTF-8 through the percent-encoding of a URI, because React Native has no TextDecoder.
      this.claims = JSON.parse(decodeURIComponent(escape(bytes)));
      const life = (this.claims.exp - this.claims.iat) * 1000;
      this.expiresAt = receivedAt + life;
      this.#renewedAt = this.expiresAt - Math.min(MAX_MARGIN_MS, life / 5) * (0.25 + 0.75 * chance);
    } catch (cause) {
      throw unexpectedAnswer(200, { cause });
    }
  }

  /** Whether the token is still so far from its expiry that it needs no renewal. */
  isFresh(now: number): boolean {
    return now < this.#renewedAt && now >= this.receivedAt;
  }

  /**
   * Whether the token has not expired yet. If the clock was set back, the age is unknown and the token counts as
   * expired.
   */
  isAlive(now: number): boolean {
    return now < this.expiresAt && now >= this.receivedAt;
  }
}
