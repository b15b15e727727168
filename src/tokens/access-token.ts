import type { CustomClaims } from './claims.js';
import type { RefreshToken } from './refresh-token.js';

/**
 * The content of an access token: a copy of the content of the refresh token. With ACCESS_TOKEN_SESSION_CHECK=`none`,
 * servers accept the token without a query until it expires.
 */
export class AccessToken {
  /** `sub`: the user's key. */
  readonly subject: string;
  readonly role: number;
  readonly emailVerified: boolean;
  /** All custom claims of the refresh token. */
  readonly payload: CustomClaims;

  private constructor({ subject, role, emailVerified, payload }: RefreshToken) {
    this.subject = subject;
    this.role = role;
    this.emailVerified = emailVerified;
    this.payload = { ...payload };
  }

  static fromRefreshToken(token: RefreshToken): AccessToken {
    return new AccessToken(token);
  }
}
