import { randomUUID } from 'node:crypto';
import { toSeconds } from '../clock.js';
import { RefreshCookie } from '../http/refresh-cookie.js';
import type { JwtAllauth } from '../jwt-allauth.js';
import { Tokens } from '../tokens/tokens.js';
import type { UserId } from '../users/base-user.entity.js';
import { ClientKey } from './client-key.js';

/**
 * The credentials of a signed-in client, for any HTTP client of a test. Printing the object shows no token and no key.
 */
export class SignedIn extends Tokens {
  readonly #auth: JwtAllauth;
  readonly #key: ClientKey;

  constructor(tokens: Tokens, auth: JwtAllauth, key: ClientKey) {
    super(tokens.access, tokens.refresh, tokens);
    this.#auth = auth;
    this.#key = key;
  }

  /** The request headers with the access token. If the token is bound (ACCESS_TOKEN_BINDING), add a `proof`. */
  get headers(): { authorization: string } {
    const isProved = this.isBound && this.#auth.settings.accessTokenBinding;
    return { authorization: `${isProved ? 'DPoP' : 'Bearer'} ${this.access}` };
  }

  /**
   * The `Cookie` header with the refresh token. If the refresh token travels in bodies, send `refresh` there instead.
   */
  get cookie(): string {
    return `${new RefreshCookie(this.#auth.settings).name}=${this.refresh}`;
  }

  /**
   * Makes the header `DPoP` of a request: a new proof by the key of this client (RFC 9449). It works once. If the
   * session is not bound, the first refresh with a proof binds it.
   *
   * @param url an absolute URL, with or without a query
   * @param accessToken the access token of the request. Default: `access`
   * @throws TypeError for a URL that is not absolute
   */
  proof(method: string, url: string, accessToken = this.access): string {
    return this.#key.prove({ method, url, accessToken }, this.#auth.clock.now());
  }
}

/** How and when the user of a test has authenticated. */
export interface SignInOptions {
  /** The authentication methods (RFC 8176). `mfa` satisfies `SecondFactor`. Default: none. */
  readonly amr?: readonly string[];
  /** When the user authenticated, in seconds since the epoch, or as a date. Default: now. */
  readonly authTime?: number | Date;
  /** Whether the session is bound to a key of the client. Default: only if DPOP is `required`. */
  readonly bound?: boolean;
}

/**
 * Signs a user in without a password and its slow hash, by opening a real session in the database.
 *
 * @param user the user, or its key
 * @throws incorrect_credentials if there is no such user, or it is not active; dpop_proof_missing if `bound` is false
 * and DPOP is `required`
 */
export async function signIn(
  auth: JwtAllauth,
  user: UserId | { readonly id: UserId },
  { amr, authTime, bound = auth.settings.dpop === 'required' }: SignInOptions = {},
): Promise<SignedIn> {
  const id = typeof user === 'object' ? user.id : user;
  const seconds = authTime instanceof Date ? toSeconds(authTime.getTime()) : authTime;
  const key = new ClientKey();
  // There is no request, and so no proof that could be sent again.
  const proof = { thumbprint: key.thumbprint, id: randomUUID(), expiresAt: auth.clock.now() };
  const tokens = await auth.sessions.open({ id }, { amr, authTime: seconds, client: bound ? { proof } : undefined });
  return new SignedIn(tokens, auth, key);
}
