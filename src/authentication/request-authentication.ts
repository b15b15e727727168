import type { IncomingMessage } from 'node:http';
import type { MikroORM } from '@mikro-orm/postgresql';
import { requestEntityManager } from '../database/request-context.js';
import { JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';
import type { SessionChecker } from '../sessions/session-checker.js';
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
 * Finds out who sent a request: from the access token alone, by the app's authenticators, or with the user entity. Each
 * at most once per request.
 */
export class RequestAuthentication {
  /**
   * Where the request keeps its principal, by how its session was looked at: what was believed by one check is not
   * believed by another. A WeakMap would cost the garbage collector more. Each app has its own.
   */
  readonly #principals: Readonly<Record<SessionCheckMode, symbol>> = {
    none: Symbol('principal'),
    'revocation-list': Symbol('principal, by the revocation list'),
    database: Symbol('principal, by the database'),
  };
  /** Where it keeps what the authenticators said. */
  readonly #other = Symbol('other principal');
  readonly #users = new WeakMap<AuthenticatedRequest, Promise<BaseUser>>();

  constructor(
    protected readonly kernel: {
      readonly tokens: TokenFactory;
      readonly users: UserService;
      readonly orm: MikroORM;
      readonly sessionChecker: SessionChecker;
      readonly settings: Settings;
      readonly authenticators: Authenticators;
      /** Knows the requests to routes of this library. They manage accounts, and take sessions alone. */
      readonly requests: { hasReachedController(request: object): boolean };
    },
  ) {}

  /**
   * The principal of a request, or undefined when it has no credential. An access token of ours decides alone: it is
   * never shown to an authenticator, not even when it is refused. The token of an ended session is refused, as
   * `@SessionCheck` or the app's setting says.
   *
   * @returns a promise only where the database or an authenticator has to be asked
   * @throws token_not_valid, service_unavailable, and what an authenticator throws
   */
  principal(request: AuthenticatedRequest): Principal | Promise<Principal | undefined> | undefined {
    const mode = sessionCheckOf(request) ?? this.kernel.settings.accessTokenSessionCheck;
    const known = request[this.#principals[mode]];
    if (known) return known;
    const token = bearerToken(request);
    const { authenticators, requests, tokens } = this.kernel;
    if (authenticators.isEmpty || requests.hasReachedController(request)) return this.#bySession(request, token, mode);
    if (token !== undefined && tokens.isOwn(token)) return this.#bySession(request, token, mode);
    request[this.#other] ??= authenticators
      .find(request)
      .then((found) => found ?? this.#bySession(request, token, mode));
    return request[this.#other];
  }

  /**
   * Who sends a request, or whose access token this is. A request is examined once, and again only by an action with
   * another `@SessionCheck`. A token is examined at each call.
   *
   * @param source a request of Node, Express or a framework on top of them; or an access token, however it came
   * @throws not_authenticated, token_not_valid, service_unavailable, and what an authenticator throws
   */
  async authenticate(source: IncomingMessage | string): Promise<Principal> {
    const isRequest = typeof source === 'object' && source !== null;
    const principal = await (isRequest ? this.principal(source as AuthenticatedRequest) : this.#ofToken(source));
    if (!principal) throw notAuthenticated();
    return principal;
  }

  #bySession(
    request: AuthenticatedRequest,
    token: string | undefined,
    mode: SessionCheckMode,
  ): SessionPrincipal | Promise<SessionPrincipal> | undefined {
    if (token === undefined) return undefined;
    const found = this.#ofToken(token, mode);
    request[this.#principals[mode]] = found;
    return found;
  }

  /** The principal of an access token. @throws token_not_valid, service_unavailable */
  #ofToken(
    token: string,
    mode: SessionCheckMode = this.kernel.settings.accessTokenSessionCheck,
  ): SessionPrincipal | Promise<SessionPrincipal> {
    const principal = new SessionPrincipal(this.kernel.tokens.verifyAccess(token));
    const checking = this.kernel.sessionChecker.check(principal.claims, mode);
    return checking ? checking.then(() => principal) : principal;
  }

  /**
   * The principal's user, managed by the request's EntityManager.
   * @throws token_not_valid when there is no active one
   */
  user(request: AuthenticatedRequest, principal: Principal): Promise<BaseUser> {
    const em = requestEntityManager(this.kernel.orm) ?? this.kernel.orm.em.fork();
    const user = this.#users.get(request) ?? this.kernel.users.getActiveWithRelations(em, principal.id);
    this.#users.set(request, user);
    return user;
  }
}

/** 401: there is no access token, and there has to be one. */
export function notAuthenticated(): JwtAllauthError {
  return authError('not_authenticated');
}

/** The token of an `Authorization: Bearer` header (RFC 6750 §2.1), the only place where one is taken from. */
export function bearerToken({ headers }: Pick<AuthenticatedRequest, 'headers'>): string | undefined {
  return /^bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1]?.trim();
}
