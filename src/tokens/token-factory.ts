import { randomUUID } from 'node:crypto';
import { type Clock, toSeconds } from '../clock.js';
import { authError, tokenNotValid } from '../error-table.js';
import type { Settings } from '../settings/settings.js';
import type { BaseUser } from '../users/base-user.entity.js';
import { reloadWithRelations } from '../users/user-loading.js';
import { AccessToken } from './access-token.js';
import { assertNotReserved, type CustomClaims, type TokenClaims, type TokenType } from './claims.js';
import { assertString, hasOwnHeader, isExpiredUnverified, signToken, verifySignature } from './json-web-token.js';
import { RefreshToken, type RefreshTokenClass } from './refresh-token.js';
import { assertSerializable } from './serializable-claims.js';
import { type RequestClient, requestClientOf, type SessionContext } from './session-context.js';
import type { SigningKeys } from './signing-keys.js';
import { Tokens } from './tokens.js';
import { VerifiedTokens } from './verified-tokens.js';

/** The session for which an access token is made. */
export interface AccessTokenSession extends SessionContext {
  readonly id: string;
  /** When it was opened, in seconds since the epoch. */
  readonly openedAt: number;
  /** The thumbprint of the key to which it is bound. Undefined if it is not bound. */
  readonly keyThumbprint?: string;
}

/** The session for which both tokens are made. Instants are seconds since the epoch. */
export interface TokenSession extends AccessTokenSession {
  /** Id of its live refresh token. */
  readonly jti: string;
  /** When that token was first issued. */
  readonly issuedAt: number;
  /** When that token expires. */
  readonly expiresAt: number;
}

/** The refresh token that the app's class has made for a user, not yet signed. */
export interface PreparedTokens {
  readonly refresh: RefreshToken;
  /**
   * When the preparation began, in seconds since the epoch. The lifetime of the access token starts here. If the
   * session is ended while `forUser` runs, the revocation list then keeps the session until the token has expired.
   */
  readonly preparedAt: number;
}

/** Further input of `prepare`. */
export interface TokenContext {
  readonly session?: SessionContext;
  readonly client?: RequestClient;
}

/** The claims that a token of the shipped class has about a user. */
export type PlainClaims = Pick<BaseUser, 'role' | 'emailVerified'>;

/** Makes and verifies the tokens of an app, with the class of REFRESH_TOKEN. */
export class TokenFactory {
  readonly #verified: VerifiedTokens;

  constructor(
    protected readonly kernel: {
      readonly keys: SigningKeys;
      readonly settings: Settings;
      readonly clock: Clock;
    },
    private readonly tokenClass: RefreshTokenClass,
    /** Relations that USER_ATTRIBUTES reads. */
    private readonly relations: readonly string[],
  ) {
    const { keys } = kernel;
    this.#verified = new VerifiedTokens(keys);
  }

  /**
   * When a refresh token expires: after its lifetime, but not after the session's deadline. In seconds since the epoch.
   */
  refreshExpiry(issuedAt: number, openedAt: number): number {
    return Math.min(issuedAt + this.kernel.settings.refreshTokenLifetime, this.deadline(openedAt));
  }

  /** The deadline of a session (SESSION_LIFETIME), in seconds since the epoch. Infinity if there is no limit. */
  deadline(openedAt: number): number {
    return openedAt + (this.kernel.settings.sessionLifetime ?? Number.POSITIVE_INFINITY);
  }

  /**
   * The first half of making the tokens of a session: runs the app's code, which may take long. `sign` is the second.
   *
   * @param user as just read from the database
   */
  async prepare(user: BaseUser, { session, client }: TokenContext = {}): Promise<PreparedTokens> {
    const preparedAt = toSeconds(this.kernel.clock.now());
    const owner = this.relations.length > 0 ? await reloadWithRelations(user, this.relations) : user;
    const options = {
      attributes: this.kernel.settings.userAttributes,
      session: session && { amr: session.amr, authTime: session.authTime, claims: session.claims },
      client: requestClientOf(client),
    };
    const refresh: unknown = await this.tokenClass.forUser(owner, options);
    if (!(refresh instanceof RefreshToken))
      throw new TypeError(`${this.tokenClass.name}.forUser must return a RefreshToken`);
    return { refresh, preparedAt };
  }

  /** Whether `prepare` runs no code of the app and reads no attributes, so that `signPlain` gives the same result. */
  get isPlain(): boolean {
    const isShipped = this.tokenClass === RefreshToken && this.prepare === TokenFactory.prototype.prepare;
    return isShipped && Object.keys(this.kernel.settings.userAttributes).length === 0;
  }

  /**
   * Makes the tokens of a stored session without the app's code; only for `isPlain`. It cannot fail, because the same
   * claims were signed when the session was opened.
   */
  signPlain(subject: string, { role, emailVerified }: PlainClaims, session: TokenSession): Tokens {
    const refresh = new RefreshToken(subject, role, emailVerified);
    return this.#signBoth({ refresh, preparedAt: session.issuedAt }, session);
  }

  /**
   * Signs prepared tokens for a session.
   *
   * @throws reserved_claim if the app's class added a reserved claim; claim_not_serializable for a value that is not
   * JSON; token_too_large if the refresh token is too large for a cookie
   */
  sign(prepared: PreparedTokens, session: TokenSession): Tokens {
    const tokens = this.#signBoth(prepared, session);
    const { length } = tokens.refresh;
    if (this.kernel.settings.refreshTokenAsCookie && length > cookieCapacity(this.kernel.settings)) {
      const detail = `The refresh token has ${length} bytes, too many for a cookie: put less into its payload.`;
      throw authError('token_too_large', { detail });
    }
    return tokens;
  }

  /** Signs only a new access token for a session. @throws reserved_claim, claim_not_serializable */
  signAccess({ refresh, preparedAt }: PreparedTokens, session: AccessTokenSession): string {
    const expiresAt = Math.min(preparedAt + this.kernel.settings.accessTokenLifetime, this.deadline(session.openedAt));
    const access = AccessToken.fromRefreshToken(refresh);
    return this.#sign('access', access, { ...session, jti: randomUUID(), issuedAt: preparedAt, expiresAt });
  }

  #signBoth(prepared: PreparedTokens, session: TokenSession): Tokens {
    const refresh = this.#sign('refresh', prepared.refresh, session);
    const about = { refreshExpiresAt: session.expiresAt, isBound: session.keyThumbprint !== undefined };
    return new Tokens(this.signAccess(prepared, session), refresh, about);
  }

  /**
   * Verifies an access token. It has expired at its `exp`, or when it is older than the current ACCESS_TOKEN_LIFETIME:
   * a token that was issued with a longer lifetime must not outlive the entry of its session in the revocation list.
   *
   * @throws token_not_valid
   */
  verifyAccess(token: string): TokenClaims {
    assertString(token);
    const now = toSeconds(this.kernel.clock.now());
    const known = this.#verified.find(token);
    if (known) return this.#assertNotExpired(known, now);
    if (isExpiredUnverified(token, now)) throw tokenNotValid('expired');
    const verified = verifySignature(token, 'access', this.kernel.keys, this.kernel.settings);
    this.#assertNotExpired(verified.claims, now);
    deepFreeze(verified.claims); // requests with the same token share this object
    this.#verified.add(token, verified);
    return verified.claims;
  }

  /**
   * Whether a text looks like a token of this library, valid or not. Such a text is a secret and must not be passed to
   * an authenticator of the app. An access token whose key was removed from the settings does not count.
   */
  isOwn(text: string): boolean {
    return hasOwnHeader(text, this.kernel.keys);
  }

  #assertNotExpired(claims: TokenClaims, now: number): TokenClaims {
    const end = Math.min(claims.exp, claims.iat + this.kernel.settings.accessTokenLifetime);
    if (end <= now) throw tokenNotValid('expired');
    return claims;
  }

  /** Verifies a refresh token that has not expired. @throws token_not_valid */
  verifyRefresh(token: string): TokenClaims {
    const claims = this.readRefresh(token);
    if (claims.exp <= toSeconds(this.kernel.clock.now())) throw tokenNotValid('expired');
    return claims;
  }

  /** Verifies the signature of a refresh token, expired or not. @throws token_not_valid */
  readRefresh(token: string): TokenClaims {
    return verifySignature(token, 'refresh', this.kernel.keys, this.kernel.settings).claims;
  }

  #sign(type: TokenType, token: RefreshToken | AccessToken, session: TokenSession): string {
    const claims: TokenClaims = {
      ...customClaims(token, session.claims),
      sub: token.subject,
      jti: session.jti,
      iat: session.issuedAt,
      exp: session.expiresAt,
      ...(this.kernel.settings.issuer && { iss: this.kernel.settings.issuer }),
      ...(this.kernel.settings.audience && { aud: this.kernel.settings.audience }),
      token_type: type,
      session: session.id,
      session_iat: session.openedAt,
      role: token.role,
      email_verified: token.emailVerified,
      amr: session.amr,
      auth_time: session.authTime,
      ...(session.keyThumbprint && { cnf: { jkt: session.keyThumbprint } }),
    };
    return signToken(claims, this.kernel.keys);
  }
}

/** The app's claims: those of `forUser`, overridden by those that are bound to the session. */
function customClaims({ payload }: RefreshToken | AccessToken, bound: CustomClaims): Record<string, unknown> {
  assertNotReserved(payload);
  assertSerializable(payload);
  return { ...payload, ...bound };
}

function deepFreeze(value: unknown): void {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
}

/**
 * Maximum size of a token in a cookie: the 4096 bytes that browsers accept (RFC 6265 §6.1), less name and attributes.
 */
function cookieCapacity({
  refreshTokenCookieName = '',
  refreshTokenCookiePath,
  refreshTokenCookieDomain = '',
}: Settings) {
  return 3850 - [refreshTokenCookieName, refreshTokenCookiePath, refreshTokenCookieDomain].join().length;
}
