import type { MikroORM } from '@mikro-orm/postgresql';
import type { RoutingControllersOptions } from 'routing-controllers';
import { Container, type ContainerInstance } from 'typedi';
import { createAuthControllers } from './auth-controllers.js';
import { createAuthorizationChecker } from './authentication/authorization-checker.js';
import { assertControllersAreSafe, assertNoOtherCheckers } from './authentication/controller-check.js';
import { createCurrentUserChecker } from './authentication/current-user-checker.js';
import { RequestAuthentication } from './authentication/request-authentication.js';
import { asksForRevocationList } from './authentication/session-check.decorator.js';
import { usesOfEmailVerified } from './authentication/unproved-addresses.js';
import { Clock } from './clock.js';
import type { PurgeService } from './database/purge.service.js';
import type { DeactivationService } from './features/account/deactivation.service.js';
import { createAnsweredMiddleware } from './http/answered.middleware.js';
import { createAppInterceptors } from './http/app-interceptors.js';
import { assertInjectionWorks } from './http/container-check.js';
import { createErrorMiddlewares } from './http/error.middleware.js';
import { assertMountingWorks } from './http/mounting-check.js';
import { OwnRequests } from './http/own-requests.js';
import { LinkPages } from './http/pages/link-pages.js';
import { PageTemplates } from './http/pages/page-templates.js';
import { createReadBodyMiddleware } from './http/read-body.middleware.js';
import { RefreshCookie } from './http/refresh-cookie.js';
import { RefreshTokenTransport } from './http/refresh-token-transport.js';
import { createRequestContextMiddleware } from './http/request-context.middleware.js';
import { createUnknownRouteMiddleware } from './http/unknown-route.middleware.js';
import { type AuthKernel, createAuthKernel } from './kernel.js';
import type { Mailer } from './mail/mailer.js';
import type { Outbox } from './mail/outbox.service.js';
import type { AuthEvents } from './observability/auth-events.js';
import { consoleLogger, type Logger } from './observability/logger.js';
import { WarningLimit } from './observability/warning-limit.js';
import type { Class } from './service-maker.js';
import type { SessionService } from './sessions/session.service.js';
import { resolveSettings, type Settings, type SettingsInput } from './settings/settings.js';
import type { TokenFactory } from './tokens/token-factory.js';

/** What `createJwtAllauth` is given. */
export interface JwtAllauthOptions {
  /** An initialised ORM that knows the app's user and what `createAuthEntities` returned. */
  readonly orm: MikroORM;
  /** From `settingsFromEnv`, or an object of the same settings. */
  readonly settings: Settings | SettingsInput;
  /** Path below which the auth controllers answer. Default: `/auth`. */
  readonly prefix?: string;
  /**
   * Subclasses of this library's services, to stand in their place; each is constructed with what the class that it
   * extends is constructed with, and reaches it as `this.kernel`.
   */
  readonly services?: readonly Class<object>[];
  /** Default: warnings and errors on the console. */
  readonly logger?: Logger;
  /** Where the services are registered. Default: TypeDI's own; a second app in the process gives one of its own. */
  readonly container?: ContainerInstance;
  /** The app's own way to send mails. Default: SMTP_URL, or in development the console. */
  readonly mailer?: Mailer;
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
  /** Path below which our controllers answer. */
  readonly prefix: string;
  /** Our controllers, as the settings want them. */
  readonly controllers: readonly Class<object>[];
  readonly events: AuthEvents;
  readonly tokens: TokenFactory;
  readonly sessions: SessionService;
  readonly deactivation: DeactivationService;
  readonly purge: PurgeService;
  /** The mails that wait to be sent. */
  readonly outbox: Outbox;
  /**
   * The options for `createExpressServer` or `useExpressServer`: the app's own, with our controllers, middlewares and
   * checkers added.
   *
   * @throws controller_refused for a controller that would be less protected than it looks
   * @throws TypeError for a `routePrefix` without its slash, where PUBLIC_URL does not end with it, and for a
   * REFRESH_TOKEN_COOKIE_PATH that does not reach our routes below PUBLIC_URL
   */
  serverOptions(options?: AppServerOptions): RoutingControllersOptions;
  /** Ends what goes on beside requests: the sending of mails, and the connection on which revocations are told. */
  close(): Promise<void>;
}

/**
 * Puts the library together for one app. Nothing is shared between two calls, so that two differently configured apps
 * can live in one process.
 *
 * @throws SettingsError with every setting that cannot be used; TypeError for a prefix, an ORM or services that cannot
 */
export async function createJwtAllauth(options: JwtAllauthOptions): Promise<JwtAllauth> {
  const { orm, prefix = '/auth', services = [], logger = consoleLogger } = options;
  const { clock = new Clock(), container = Container.of() } = options;
  const settings = resolveSettings(options.settings);
  if (!/^(\/[\w.~-]+)+$/.test(prefix))
    throw new TypeError('prefix must be a path such as /auth, without a slash at its end');
  const parts = { orm, settings, services, logger, container, clock, prefix, mailer: options.mailer };
  const kernel = await createAuthKernel(parts);
  const { events, tokens, sessions, deactivation, purge, outbox, listener } = kernel;
  if (settings.accessTokenSessionCheck === 'revocation-list') await listener.start();
  const own = createOwnParts(kernel);
  return {
    settings,
    prefix,
    controllers: own.controllers,
    events,
    tokens,
    sessions,
    deactivation,
    purge,
    outbox,
    serverOptions: (app = {}) => {
      assertMountingWorks(settings, prefix, app.routePrefix ?? '', logger);
      if (settings.publicUrl !== undefined) outbox.start();
      if (asksForRevocationList(app.controllers ?? [])) void listener.start();
      if (settings.emailVerification === 'none') warnOfEmailVerified(app.controllers ?? [], logger);
      return serverOptions(own, app);
    },
    close: async () => {
      await kernel.deferredWork.settled();
      await outbox.stop();
      await listener.stop();
    },
  };
}

/** Under `none` every address counts as confirmed from sign-up, and nobody has proved it. */
function warnOfEmailVerified(app: readonly unknown[], logger: Logger): void {
  const controllers = usesOfEmailVerified(app);
  if (controllers.length === 0) return;
  logger.warn({ controllers }, 'EmailVerified proves nothing under EMAIL_VERIFICATION none: use optional or mandatory');
}

/** What this library brings into a server of routing-controllers. */
type OwnParts = Required<Pick<RoutingControllersOptions, 'authorizationChecker' | 'currentUserChecker'>> & {
  readonly controllers: Class<object>[];
  readonly middlewares: Class<object>[];
  readonly requests: OwnRequests;
};

function createOwnParts(kernel: AuthKernel): OwnParts {
  const { orm, prefix, settings, logger } = kernel;
  const authentication = new RequestAuthentication(kernel);
  const transport = new RefreshTokenTransport(kernel, new RefreshCookie(settings));
  const pages = new LinkPages(new PageTemplates(settings), settings);
  const warnings = new WarningLimit(kernel.clock);
  const controllers = createAuthControllers(kernel, { transport, pages, prefix, settings, logger, warnings });
  const requests = new OwnRequests(prefix);
  requests.watch(controllers);
  return {
    controllers,
    requests,
    middlewares: [
      createRequestContextMiddleware(orm),
      createReadBodyMiddleware(),
      createUnknownRouteMiddleware(prefix),
      createAnsweredMiddleware(),
      ...createErrorMiddlewares(logger, kernel.telemetry, pages, requests),
    ],
    authorizationChecker: createAuthorizationChecker(authentication),
    currentUserChecker: createCurrentUserChecker(authentication),
  };
}

function serverOptions(
  { controllers, middlewares, requests, ...checkers }: OwnParts,
  app: AppServerOptions,
): RoutingControllersOptions {
  assertNoOtherCheckers(app);
  assertControllersAreSafe(app.controllers ?? []);
  const { controllers: own = [], middlewares: before = [], interceptors = [] } = app;
  assertInjectionWorks([...own, ...before, ...interceptors]);
  return {
    ...app,
    ...checkers,
    controllers: [...controllers, ...(app.controllers ?? [])],
    middlewares: [...middlewares, ...((app.middlewares ?? []) as Class<object>[])],
    interceptors: createAppInterceptors(app.interceptors ?? [], requests),
    defaultErrorHandler: false,
  };
}
