import type { IncomingMessage } from 'node:http';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import { requestEntityManager } from '../database/request-context.js';
import { proofRefused } from '../dpop/proof-verifier.js';
import type { RequestProofs } from '../dpop/request-proofs.js';
import { JwtAllauthError } from '../error.js';
import { authError, tokenNotValid } from '../error-table.js';
import type { SessionChecker } from '../sessions/session-checker.js';
import type { SessionKeys } from '../sessions/session-keys.js';
import type { SessionCheckMode } from '../settings/session-settings.js';
import type { Settings } from '../settings/settings.js';
import type { TokenFactory } from '../tokens/token-factory.js';
import type { BaseUser } from '../users/base-user.entity.js';
import type { UserService } from '../users/user.service.js';
import type { Authenticators } from './authenticators.js';
import { type Principal } from './principal.js';
import { sessionCheckOf } from './session-check.decorator.js';
import { SessionPrincipal } from './session-principal.js';

/** The part of a request that authentication reads. */
type AuthenticatedRequest = IncomingMessage & {
  [principal: symbol]: Principal | Promise<Principal | undefined> | undefined;
};

/**
 * Authenticates requests, by the access token or by the authenticators, and loads the user entity. For one request,
 * each of these runs at most once, but the check of the access token once for each session check mode.
 */
export class RequestAuthentication {
  /**
   * The properties under which the request stores its principal, one per session check mode: a result of one mode must
   * not be reused for another. A WeakMap would cost the garbage collector more. Each app has its own symbols.
   */
  readonly #principals: Readonly<Record<SessionCheckMode, symbol>> = {
    none: Symbol('principal'),
    'revocation-list': Symbol('principal, by the revocation list'),
    database: Symbol('principal, by the database'),
  };
  /** The property under which the request stores the result of the authenticators. */
  readonly #byAuthenticator = Symbol('principal, by an authenticator');
  readonly #users = new WeakMap<AuthenticatedRequest, Promise<BaseUser>>();

  constructor(
    protected readonly kernel: {
      readonly tokens: TokenFactory;
      readonly users: UserService;
      readonly orm: MikroORM;
      readonly sessionChecker: SessionChecker;
      readonly settings: Settings;
      readonly clock: Clock;
      readonly requestProofs: RequestProofs;
      readonly sessionKeys: SessionKeys;
      readonly authenticators: Authenticators;
      /** Knows the requests to the library's routes. These routes manage accounts and accept sessions only. */
      readonly requests: { hasReachedController(request: object): boolean };
    },
  ) {}

  /**
   * The principal of a request; undefined if it has no credential. If it has an access token of the library, that token
   * alone decides: authenticators never see it, not even when it is refused. The token of an ended session is refused
   * according to `@SessionCheck` or ACCESS_TOKEN_SESSION_CHECK.
   *
   * @returns a promise only if it must query the database or an authenticator
   * @throws token_not_valid, dpop_proof_invalid, use_dpop_nonce, service_unavailable, and errors of authenticators
   */
  principal(request: AuthenticatedRequest): Principal | Promise<Principal | undefined> | undefined {
    const mode = sessionCheckOf(request) ?? this.kernel.settings.accessTokenSessionCheck;
    const known = request[this.#principals[mode]];
    if (known) return known;
    const token = accessTokenOf(request, this.kernel.settings);
    const { authenticators, requests, tokens } = this.kernel;
    if (authenticators.isEmpty || requests.hasReachedController(request)) return this.#byToken(request, token, mode);
    if (token !== undefined && tokens.isOwn(token)) return this.#byToken(request, token, mode);
    request[this.#byAuthenticator] ??= authenticators
      .find(request)
      .then((found) => found ?? this.#byToken(request, token, mode));
    return request[this.#byAuthenticator];
  }

  /**
   * The sender of a request, or the owner of an access token. A request is verified once, and again only for an action
   * with another `@SessionCheck`. A token is verified at each call.
   *
   * @param source a request of Node, Express or a framework based on them; or an access token from any other place
   * @throws not_authenticated, token_not_valid, service_unavailable, and errors of authenticators; dpop_proof_invalid,
   * use_dpop_nonce with ACCESS_TOKEN_BINDING, where the token of a bound session needs its request
   */
  async authenticate(source: IncomingMessage | string): Promise<Principal> {
    const isRequest = typeof source === 'object' && source !== null;
    const principal = await (isRequest ? this.principal(source as AuthenticatedRequest) : this.#byText(source));
    if (!principal) throw notAuthenticated();
    return principal;
  }

  #byToken(
    request: AuthenticatedRequest,
    token: string | undefined,
    mode: SessionCheckMode,
  ): SessionPrincipal | Promise<SessionPrincipal> | undefined {
    if (token === undefined) return undefined;
    const found = this.#isBinding ? this.#verifyBound(token, mode, request) : this.#verify(token, mode);
    request[this.#principals[mode]] = found;
    return found;
  }

  get #isBinding(): boolean {
    return this.kernel.settings.accessTokenBinding;
  }

  /** The principal of an access token without a request. */
  #byText(token: string): SessionPrincipal | Promise<SessionPrincipal> {
    return this.#isBinding ? this.#verifyBound(token) : this.#verify(token);
  }

  /** Like `#verify`. The token of a bound session also needs a proof for this request (RFC 9449 §7.1). */
  async #verifyBound(
    token: string,
    mode?: SessionCheckMode,
    request?: AuthenticatedRequest,
  ): Promise<SessionPrincipal> {
    const principal = await this.#verify(token, mode);
    const { cnf } = principal.claims;
    const isByScheme = request !== undefined && hasDpopScheme(request);
    if (!cnf) {
      if (isByScheme) throw tokenNotValid('malformed');
      return principal;
    }
    try {
      if (!isByScheme) throw proofRefused('proof-missing');
      await this.kernel.requestProofs.assertFor(token, cnf.jkt, request);
      return principal;
    } catch (error) {
      throw error instanceof JwtAllauthError ? this.kernel.sessionKeys.reported(principal.claims, error) : error;
    }
  }

  /** The principal of an access token. @throws token_not_valid, service_unavailable */
  #verify(
    token: string,
    mode: SessionCheckMode = this.kernel.settings.accessTokenSessionCheck,
  ): SessionPrincipal | Promise<SessionPrincipal> {
    const principal = new SessionPrincipal(this.kernel.tokens.verifyAccess(token), this.kernel.clock);
    const checking = this.kernel.sessionChecker.check(principal.claims, mode);
    return checking ? checking.then(() => principal) : principal;
  }

  /**
   * Loads the principal's user into the request's EntityManager, or into a new one if the request has none.
   * @throws token_not_valid if there is no such active user
   */
  user(request: AuthenticatedRequest, principal: Principal): Promise<BaseUser> {
    const em = requestEntityManager(this.kernel.orm) ?? this.kernel.orm.em.fork();
    const user = this.#users.get(request) ?? this.kernel.users.getActiveWithRelations(em, principal.id);
    this.#users.set(request, user);
    return user;
  }
}

/** The error 401 for a request without a credential. */
export function notAuthenticated(): JwtAllauthError {
  return authError('not_authenticated');
}

/**
 * The access token of a request: as a bearer token or, with ACCESS_TOKEN_BINDING, with the scheme `DPoP` (RFC 9449
 * §7.1).
 */
export function accessTokenOf(
  request: Pick<AuthenticatedRequest, 'headers'>,
  { accessTokenBinding }: Pick<Settings, 'accessTokenBinding'>,
): string | undefined {
  if (!accessTokenBinding || !hasDpopScheme(request)) return bearerToken(request);
  return request.headers.authorization?.slice('DPoP '.length).trim();
}

/** Whether a request has an access token with the scheme `DPoP` (RFC 9449 §7.1). */
export function hasDpopScheme({ headers }: Pick<AuthenticatedRequest, 'headers'>): boolean {
  return /^dpop +\S/i.test(headers.authorization ?? '');
}

/** The token of an `Authorization: Bearer` header (RFC 6750 §2.1). */
export function bearerToken({ headers }: Pick<AuthenticatedRequest, 'headers'>): string | undefined {
  return /^bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1]?.trim();
}
