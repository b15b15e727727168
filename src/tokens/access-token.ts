import type { CustomClaims } from './claims.js';
import type { RefreshToken } from './refresh-token.js';

/** A copy of what a refresh token says, for the servers that believe it until it expires. */
export class AccessToken {
  /** `sub`: the user's key. */
  readonly subject: string;
  readonly role: number;
  readonly emailVerified: boolean;
  /** The custom claims of the refresh token, all of them. */
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
