import { RefreshCookie } from '../http/refresh-cookie.js';
import type { JwtAllauth } from '../jwt-allauth.js';
import { Tokens } from '../tokens/tokens.js';
import type { UserId } from '../users/base-user.entity.js';

/** What a client holds after a sign-in, as any HTTP client of a test takes it. Whoever prints it sees no token. */
export class SignedIn extends Tokens {
  readonly #cookieName: string;

  constructor({ access, refresh, refreshExpiresAt }: Tokens, cookieName: string) {
    super(access, refresh, refreshExpiresAt);
    this.#cookieName = cookieName;
  }

  /** The headers of a request with the access token. */
  get headers(): { authorization: string } {
    return { authorization: `Bearer ${this.access}` };
  }

  /** The `Cookie` header with the refresh token. Where it travels in bodies instead, send `refresh` there. */
  get cookie(): string {
    return `${this.#cookieName}=${this.refresh}`;
  }
}

/**
 * Signs a user in, without a password and its slow hash: opens a real session in the database.
 *
 * @param user the user, or their key
 * @throws incorrect_credentials when there is no such user, or they are not active
 */
export async function signIn(auth: JwtAllauth, user: UserId | { readonly id: UserId }): Promise<SignedIn> {
  const id = typeof user === 'object' ? user.id : user;
  return new SignedIn(await auth.sessions.open({ id }), new RefreshCookie(auth.settings).name);
}
