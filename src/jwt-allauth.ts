import type { EntityMetadata } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { RoutingControllersOptions } from 'routing-controllers';
import { Container, type ContainerInstance } from 'typedi';
import { DeactivationService } from './accounts/deactivation.service.js';
import { LoginService } from './accounts/login.service.js';
import { LOGIN_ATTEMPT_ENTITY } from './accounts/login-attempt.entity.js';
import { LoginFailures } from './accounts/login-failures.js';
import { LoginLimiter } from './accounts/login-limiter.service.js';
import { LogoutService } from './accounts/logout.service.js';
import { PasswordChangeService } from './accounts/password-change.service.js';
import { ProfileService } from './accounts/profile.service.js';
import { PurgeService } from './accounts/purge.service.js';
import { RegistrationService } from './accounts/registration.service.js';
import { createAuthorizationChecker } from './authentication/authorization-checker.js';
import { assertControllersAreSafe } from './authentication/controller-check.js';
import { createCurrentUserChecker } from './authentication/current-user-checker.js';
import { RequestAuthentication } from './authentication/request-authentication.js';
import { asksForRevocationList } from './authentication/session-check.decorator.js';
import { Clock } from './clock.js';
import { Database } from './database/database.js';
import { entityMetadata } from './database/table.js';
import { createCsrfGuard } from './http/csrf.js';
import { createErrorMiddleware } from './http/error.middleware.js';
import { createJwksController } from './http/jwks.controller.js';
import { createLoginController } from './http/login.controller.js';
import { createLogoutController } from './http/logout.controller.js';
import { createPasswordChangeController } from './http/password-change.controller.js';
import { createProfileController } from './http/profile.controller.js';
import { createRefreshController } from './http/refresh.controller.js';
import { RefreshCookie } from './http/refresh-cookie.js';
import { RefreshTokenTransport } from './http/refresh-token-transport.js';
import { createRegistrationController } from './http/registration.controller.js';
import { createRequestContextMiddleware } from './http/request-context.middleware.js';
import { createSessionsController } from './http/sessions.controller.js';
import { createUnknownRouteMiddleware } from './http/unknown-route.middleware.js';
import { AUDIT_EVENT_ENTITY } from './observability/audit-event.entity.js';
import { AuthEvents } from './observability/auth-events.js';
import { Journal } from './observability/journal.js';
import { consoleLogger, type Logger } from './observability/logger.js';
import { Telemetry } from './observability/telemetry.js';
import { REVOCATION_ENTITY } from './sessions/revocation.entity.js';
import { RevocationListener } from './sessions/revocation-listener.js';
import { RotationService } from './sessions/rotation.service.js';
import { SESSION_ENTITY } from './sessions/session.entity.js';
import { SessionService } from './sessions/session.service.js';
import { SessionChecker } from './sessions/session-checker.js';
import { SessionEndings } from './sessions/session-endings.js';
import { SessionStore } from './sessions/session-store.js';
import { resolveSettings, type Settings, type SettingsInput } from './settings/settings.js';
import { KeyRing } from './tokens/key-ring.js';
import { resolveTokenClass } from './tokens/resolve-token-class.js';
import { TokenFactory } from './tokens/token-factory.js';
import { relationsOf } from './tokens/user-attributes.js';
import { PasswordHasher } from './users/password-hasher.service.js';
import { UserService } from './users/user.service.js';

type Class<T> = new (...args: never[]) => T;

/** What `createJwtAllauth` is given. */
export interface JwtAllauthOptions {
  /** An initialised ORM that knows the app's user and what `createAuthEntities` returned. */
  readonly orm: MikroORM;
  /** From `settingsFromEnv`, or an object of the same settings. */
  readonly settings: Settings | SettingsInput;
  /** Path below which the auth controllers answer. Default: `/auth`. */
  readonly prefix?: string;
  /**
   * Subclasses of this library's services, to stand in their place; each is constructed with the arguments of the class
   * that it extends.
   */
  readonly services?: readonly Class<object>[];
  /** Default: warnings and errors on the console. */
  readonly logger?: Logger;
  /** Where the services are registered. Default: TypeDI's own; a second app in the process gives one of its own. */
  readonly container?: ContainerInstance;
  /** Default: the system's clock. */
  readonly clock?: Clock;
}

/** Options of routing-controllers that an app still chooses, with its controllers as classes. */
export type AppServerOptions = Omit<
  RoutingControllersOptions,
  'controllers' | 'authorizationChecker' | 'currentUserChecker' | 'defaultErrorHandler'
> & { readonly controllers?: readonly Class<object>[] };

/** Authentication for one app, made by `createJwtAllauth`. */
export interface JwtAllauth {
  readonly settings: Settings;
  readonly events: AuthEvents;
  readonly tokens: TokenFactory;
  readonly sessions: SessionService;
  readonly deactivation: DeactivationService;
  readonly purge: PurgeService;
  /**
   * The options for `createExpressServer` or `useExpressServer`: the app's own, with our controllers, middlewares and
   * checkers added.
   *
   * @throws controller_refused for a controller that would be less protected than it looks
   */
  serverOptions(options?: AppServerOptions): RoutingControllersOptions;
  /** Ends the connection on which revocations are told, if there is one. The process can end without it. */
  close(): Promise<void>;
}

/**
 * Puts the library together for one app. Nothing is shared between two calls, so that two differently configured apps can
 * live in one process.
 *
 * @throws SettingsError with every setting that cannot be used; TypeError for a prefix, an ORM or services that cannot
 */
export async function createJwtAllauth(options: JwtAllauthOptions): Promise<JwtAllauth> {
  const { orm, prefix = '/auth', logger = consoleLogger, clock = new Clock(), container = Container.of() } = options;
  const settings = resolveSettings(options.settings);
  if (!/^(\/[\w.~-]+)+$/.test(prefix))
    throw new TypeError('prefix must be a path such as /auth, without a slash at its end');
  const make = serviceMaker(options.services ?? [], container);

  const database = new Database(orm);
  await database
    .usePool()
    .catch(() => logger.warn({}, 'the wait for a connection cannot be bounded: not a pool of pg'));
  const metaOf = (name: string) => entityMetadata(orm.getMetadata(), name);
  const sessionMeta = metaOf(SESSION_ENTITY);
  const userMeta = sessionMeta.properties['user']?.targetMeta as EntityMetadata;
  const tokenClass = await resolveTokenClass(settings.refreshToken, process.cwd());
  const relations = relationsOf(settings.userAttributes, userMeta);

  const events = make(AuthEvents, logger);
  const telemetry = await Telemetry.load();
  telemetry.count(events);
  const journal = new Journal(database, orm, metaOf(AUDIT_EVENT_ENTITY), events, settings);
  const hasher = make(PasswordHasher);
  const users = make(UserService, database, orm, userMeta as never);
  const keys = new KeyRing(settings);
  const tokens = make(TokenFactory, tokenClass, relations, keys, settings, clock);
  const store = new SessionStore(database, users, orm, sessionMeta);
  const revocationMeta = metaOf(REVOCATION_ENTITY);
  const endings = new SessionEndings(database, orm, sessionMeta, revocationMeta, users.table, settings, clock);
  const sessions = make(SessionService, database, store, endings, users, tokens, journal, settings, clock);
  const rotation = make(
    RotationService,
    database,
    store,
    sessions,
    users,
    tokens,
    settings,
    clock,
    journal,
    telemetry,
    logger,
  );
  const limiter = make(
    LoginLimiter,
    database,
    orm,
    metaOf(LOGIN_ATTEMPT_ENTITY),
    settings,
    clock,
    keys.deriveSecret('login limits'),
  );
  const failures = new LoginFailures(journal, clock);
  const login = make(LoginService, users, hasher, limiter, failures, sessions, telemetry);
  const registration = make(RegistrationService, database, users, hasher, sessions, journal, clock, telemetry);
  const logout = make(LogoutService, tokens, sessions);
  const passwordChange = make(
    PasswordChangeService,
    database,
    users,
    hasher,
    limiter,
    sessions,
    failures,
    journal,
    settings,
    clock,
    telemetry,
  );
  const profile = make(ProfileService, database, users);
  const deactivation = make(DeactivationService, database, users, sessions, journal, clock);
  const purge = make(PurgeService, database, orm, settings, clock);
  make.assertAllUsed();

  const listener = new RevocationListener(database, orm, revocationMeta, settings, clock, telemetry, logger);
  if (settings.accessTokenSessionCheck === 'revocation-list') await listener.start();
  const checker = new SessionChecker(listener, sessions, settings);
  const authentication = new RequestAuthentication(tokens, users, orm, checker, settings);
  const transport = new RefreshTokenTransport(settings, new RefreshCookie(settings), tokens, clock);
  const csrf = createCsrfGuard(settings);
  const own: OwnParts = {
    controllers: [
      createRegistrationController(prefix, registration, transport, csrf),
      createLoginController(prefix, login, transport, csrf),
      createRefreshController(prefix, rotation, transport, csrf),
      createLogoutController(prefix, logout, transport, csrf),
      createSessionsController(prefix, sessions),
      createProfileController(prefix, profile),
      createJwksController(prefix, keys),
      createPasswordChangeController(prefix, passwordChange, transport),
    ],
    middlewares: [
      createRequestContextMiddleware(orm),
      createUnknownRouteMiddleware(prefix),
      createErrorMiddleware(logger),
    ],
    authorizationChecker: createAuthorizationChecker(authentication),
    currentUserChecker: createCurrentUserChecker(authentication),
  };
  return {
    settings,
    events,
    tokens,
    sessions,
    deactivation,
    purge,
    serverOptions: (app = {}) => {
      if (asksForRevocationList(app.controllers ?? [])) void listener.start();
      return serverOptions(own, app);
    },
    close: () => listener.stop(),
  };
}

/** What this library brings into a server of routing-controllers. */
type OwnParts = Required<Pick<RoutingControllersOptions, 'authorizationChecker' | 'currentUserChecker'>> & {
  readonly controllers: Class<object>[];
  readonly middlewares: Class<object>[];
};

function serverOptions(
  { controllers, middlewares, ...checkers }: OwnParts,
  app: AppServerOptions,
): RoutingControllersOptions {
  assertControllersAreSafe(app.controllers ?? []);
  return {
    ...app,
    ...checkers,
    controllers: [...controllers, ...(app.controllers ?? [])],
    middlewares: [...middlewares, ...((app.middlewares ?? []) as Class<object>[])],
    // Without a class here routing-controllers runs every interceptor in the process, and they would see our tokens.
    interceptors: app.interceptors?.length ? app.interceptors : [class NoInterceptor {}],
    defaultErrorHandler: false,
  };
}

/** Makes services, or the app's subclasses of them, and registers them in TypeDI under the class of this library. */
function serviceMaker(subclasses: readonly Class<object>[], container: ContainerInstance) {
  const used = new Set<Class<object>>();
  const make = <T extends object, A extends unknown[]>(type: new (...args: A) => T, ...args: A): T => {
    const [own, ...others] = subclasses.filter(({ prototype }) => prototype instanceof type);
    if (others.length > 0) throw new TypeError(`services: more than one extends ${type.name}`);
    if (own) used.add(own);
    const service = new ((own ?? type) as new (...args: A) => T)(...args);
    container.set({ id: type, factory: () => service });
    return service;
  };
  return Object.assign(make, {
    /** A subclass that stands in for nothing would guard nothing, in silence. */
    assertAllUsed(): void {
      const idle = subclasses.find((subclass) => !used.has(subclass));
      if (idle) throw new TypeError(`services: ${idle.name} extends no service of jwt-allauth`);
    },
  });
}
