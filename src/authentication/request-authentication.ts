import type { MikroORM } from '@mikro-orm/postgresql';
import { requestEntityManager } from '../database/request-context.js';
import { JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';
import type { SessionChecker } from '../sessions/session-checker.js';
import type { Settings } from '../settings/settings.js';
import type { TokenFactory } from '../tokens/token-factory.js';
import type { BaseUser } from '../users/base-user.entity.js';
import type { UserService } from '../users/user.service.js';
import { Principal } from './principal.js';
import { sessionCheckOf } from './session-check.decorator.js';

/** The part of an Express request that authentication reads. */
interface AuthenticatedRequest {
  readonly headers: { readonly authorization?: string };
  [principal: symbol]: Principal | Promise<Principal> | undefined;
}

/**
 * Finds out who sent a request: from the access token alone, or with the user entity. Each at most once per request.
 */
export class RequestAuthentication {
  /** Where the request keeps its principal: a WeakMap would cost the garbage collector more. Each app has its own. */
  readonly #principal = Symbol('principal');
  readonly #users = new WeakMap<AuthenticatedRequest, Promise<BaseUser>>();

  constructor(
    protected readonly kernel: {
      readonly tokens: TokenFactory;
      readonly users: UserService;
      readonly orm: MikroORM;
      readonly sessionChecker: SessionChecker;
      readonly settings: Settings;
    },
  ) {}

  /**
   * The principal of the access token, or undefined when none was sent. The token of an ended session is refused, as
   * `@SessionCheck` or the app's setting says.
   *
   * @returns a promise only where the database has to be asked
   * @throws token_not_valid, service_unavailable
   */
  principal(request: AuthenticatedRequest): Principal | Promise<Principal> | undefined {
    const known = request[this.#principal];
    if (known) return known;
    const token = bearerToken(request);
    if (token === undefined) return undefined;
    const principal = new Principal(this.kernel.tokens.verifyAccess(token));
    const mode = sessionCheckOf(request) ?? this.kernel.settings.accessTokenSessionCheck;
    const checking = this.kernel.sessionChecker.check(principal.claims, mode);
    const found = checking ? checking.then(() => principal) : principal;
    request[this.#principal] = found;
    return found;
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
