import { toSeconds } from '../clock.js';
import { RefreshCookie } from '../http/refresh-cookie.js';
import type { JwtAllauth } from '../jwt-allauth.js';
import { Tokens } from '../tokens/tokens.js';
import type { UserId } from '../users/base-user.entity.js';

/** The credentials of a signed-in client, for any HTTP client of a test. Printing the object shows no token. */
export class SignedIn extends Tokens {
  readonly #cookieName: string;

  constructor(tokens: Tokens, cookieName: string) {
    super(tokens.access, tokens.refresh, tokens);
    this.#cookieName = cookieName;
  }

  /** The request headers with the access token. */
  get headers(): { authorization: string } {
    return { authorization: `Bearer ${this.access}` };
  }

  /**
   * The `Cookie` header with the refresh token. If the refresh token travels in bodies, send `refresh` there instead.
   */
  get cookie(): string {
    return `${this.#cookieName}=${this.refresh}`;
  }
}

/** How and when the user of a test has authenticated. */
export interface SignInOptions {
  /** The authentication methods (RFC 8176). `mfa` satisfies `SecondFactor`. Default: none. */
  readonly amr?: readonly string[];
  /** When the user authenticated, in seconds since the epoch, or as a date. Default: now. */
  readonly authTime?: number | Date;
}

/**
 * Signs a user in without a password and its slow hash, by opening a real session in the database.
 *
 * @param user the user, or its key
 * @throws incorrect_credentials if there is no such user, or it is not active
 */
export async function signIn(
  auth: JwtAllauth,
  user: UserId | { readonly id: UserId },
  { amr, authTime }: SignInOptions = {},
): Promise<SignedIn> {
  const id = typeof user === 'object' ? user.id : user;
  const seconds = authTime instanceof Date ? toSeconds(authTime.getTime()) : authTime;
  const tokens = await auth.sessions.open({ id }, { amr, authTime: seconds });
  return new SignedIn(tokens, new RefreshCookie(auth.settings).name);
}
