import { randomUUID } from 'node:crypto';
import { type Clock, toSeconds } from '../clock.js';
import { authError, tokenNotValid } from '../error-table.js';
import type { Settings } from '../settings/settings.js';
import type { BaseUser } from '../users/base-user.entity.js';
import { reloadWithRelations } from '../users/user-loading.js';
import { AccessToken } from './access-token.js';
import { assertNotReserved, type CustomClaims, type TokenClaims, type TokenType } from './claims.js';
import { assertText, hasOwnHeader, isExpiredUnverified, signToken, verifySignature } from './json-web-token.js';
import { RefreshToken, type RefreshTokenClass } from './refresh-token.js';
import { assertSerializable } from './serializable-claims.js';
import { type RequestClient, requestClientOf, type SessionContext } from './session-context.js';
import type { SigningKeys } from './signing-keys.js';
import { Tokens } from './tokens.js';
import { VerifiedTokens } from './verified-tokens.js';

/** The session that tokens are made for. Instants are seconds since the epoch. */
export interface TokenSession extends SessionContext {
  readonly id: string;
  /** When it was opened. */
  readonly openedAt: number;
  /** Id of its live refresh token. */
  readonly jti: string;
  /** When that token was first made. */
  readonly issuedAt: number;
  /** When that token expires. */
  readonly expiresAt: number;
}

/** What the app's class says about a user, before it is signed for a session. */
export interface PreparedTokens {
  readonly refresh: RefreshToken;
  /**
   * When the preparation began, in seconds since the epoch. The access token counts from here: if its session is ended
   * while `forUser` runs, the list of ended sessions must keep the session until the access token expires.
   */
  readonly preparedAt: number;
}

/** What `prepare` may know beside the user. */
export interface TokenContext {
  readonly session?: SessionContext;
  readonly client?: RequestClient;
}

/** What a token of the shipped class says about a user. */
export type PlainClaims = Pick<BaseUser, 'role' | 'emailVerified'>;

/** Makes and verifies every token of an app, with the refresh token class that its settings name. */
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

  /** When a refresh token made at `issuedAt` expires: after its lifetime, but never past the session's deadline. */
  refreshExpiry(issuedAt: number, openedAt: number): number {
    return Math.min(issuedAt + this.kernel.settings.refreshTokenLifetime, this.deadline(openedAt));
  }

  /** When a session ends, used or not (SESSION_LIFETIME); Infinity without such a limit. */
  deadline(openedAt: number): number {
    return openedAt + (this.kernel.settings.sessionLifetime ?? Number.POSITIVE_INFINITY);
  }

  /**
   * The tokens of a session for a user who has just been read.
   *
   * @throws reserved_claim when the app's class adds a claim of ours; claim_not_serializable when JSON cannot carry one
   * @throws token_too_large when the refresh token goes into a cookie and no browser would keep it
   */
  async issue(user: BaseUser, session: TokenSession): Promise<Tokens> {
    return this.sign(await this.prepare(user, { session }), session);
  }

  /** Does the part of `issue` that runs code of the app and may take long, for a user who has just been read. */
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
      throw new TypeError(`${this.tokenClass.name}.forUser must resolve to its token`);
    return { refresh, preparedAt };
  }

  /** Whether no code of the app runs in `prepare`, so that `signPlain` does the same. */
  get isPlain(): boolean {
    const isOurs = this.tokenClass === RefreshToken && this.prepare === TokenFactory.prototype.prepare;
    return isOurs && Object.keys(this.kernel.settings.userAttributes).length === 0;
  }

  /**
   * The tokens of a session that is stored already, as `issue` makes them where it `isPlain`. It cannot fail: when the
   * session was opened, its claims fitted into a cookie.
   */
  signPlain(subject: string, { role, emailVerified }: PlainClaims, session: TokenSession): Tokens {
    const refresh = new RefreshToken(subject, role, emailVerified);
    return this.#signBoth({ refresh, preparedAt: session.issuedAt }, session);
  }

  /** Signs what was prepared. @throws reserved_claim, token_too_large, as `issue` */
  sign(prepared: PreparedTokens, session: TokenSession): Tokens {
    const tokens = this.#signBoth(prepared, session);
    const { length } = tokens.refresh;
    if (this.kernel.settings.refreshTokenAsCookie && length > cookieCapacity(this.kernel.settings)) {
      const detail = `The refresh token has ${length} bytes, too many for a cookie: put less into its payload.`;
      throw authError('token_too_large', { detail });
    }
    return tokens;
  }

  #signBoth({ refresh, preparedAt }: PreparedTokens, session: TokenSession): Tokens {
    const expiry = Math.min(preparedAt + this.kernel.settings.accessTokenLifetime, this.deadline(session.openedAt));
    const access = AccessToken.fromRefreshToken(refresh);
    const signed = this.#sign('refresh', refresh, session);
    return new Tokens(
      this.#sign('access', access, { ...session, jti: randomUUID(), issuedAt: preparedAt, expiresAt: expiry }),
      signed,
      session.expiresAt,
    );
  }

  /**
   * The claims of an access token. It is over at its `exp`, and after ACCESS_TOKEN_LIFETIME as it is today: what was
   * made when that was longer must not outlive what is remembered of ended sessions.
   *
   * @throws token_not_valid
   */
  verifyAccess(token: string): TokenClaims {
    assertText(token);
    const now = toSeconds(this.kernel.clock.now());
    const known = this.#verified.find(token);
    if (known) return this.#stillGood(known, now);
    if (isExpiredUnverified(token, now)) throw tokenNotValid('expired');
    const verified = verifySignature(token, 'access', this.kernel.keys, this.kernel.settings);
    this.#stillGood(verified.claims, now);
    freeze(verified.claims); // to the bottom: requests with the same token share them
    this.#verified.add(token, verified);
    return verified.claims;
  }

  /**
   * Whether a text says of itself that it is a token of ours, good or not. Such a text may be a secret and must not be
   * shown to anything else. A token whose key was taken out of the settings does not count.
   */
  isOwn(text: string): boolean {
    return hasOwnHeader(text, this.kernel.keys);
  }

  #stillGood(claims: TokenClaims, now: number): TokenClaims {
    const end = Math.min(claims.exp, claims.iat + this.kernel.settings.accessTokenLifetime);
    if (end <= now) throw tokenNotValid('expired');
    return claims;
  }

  /** The claims of a refresh token that can still be used. @throws token_not_valid */
  verifyRefresh(token: string): TokenClaims {
    const claims = this.readRefresh(token);
    if (claims.exp <= toSeconds(this.kernel.clock.now())) throw tokenNotValid('expired');
    return claims;
  }

  /** The claims of a refresh token that we signed, expired or not. @throws token_not_valid */
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
    };
    return signToken(claims, this.kernel.keys);
  }
}

/** The claims of the app: what `forUser` added, and over it what is bound to the session. */
function customClaims({ payload }: RefreshToken | AccessToken, bound: CustomClaims): Record<string, unknown> {
  assertNotReserved(payload);
  assertSerializable(payload);
  return { ...payload, ...bound };
}

function freeze(value: unknown): void {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
}

/** Bytes of a token for which every browser keeps the cookie: 4096 (RFC 6265 §6.1) less name and attributes. */
function cookieCapacity({
  refreshTokenCookieName = '',
  refreshTokenCookiePath,
  refreshTokenCookieDomain = '',
}: Settings) {
  return 3850 - [refreshTokenCookieName, refreshTokenCookiePath, refreshTokenCookieDomain].join().length;
}
