import type { RoutingControllersOptions } from 'routing-controllers';
import type { ContainerInstance } from 'typedi';
import type { Authenticators } from './authentication/authenticators.js';
import { createAuthorizationChecker } from './authentication/authorization-checker.js';
import { assertControllersAreSafe, assertNoOtherCheckers } from './authentication/controller-check.js';
import { createCurrentUserChecker } from './authentication/current-user-checker.js';
import { usesOfEmailVerified } from './authentication/email-verified-usage.js';
import { RequestAuthentication } from './authentication/request-authentication.js';
import { createAppInterceptors } from './http/app-interceptors.js';
import { assertInjectionWorks } from './http/container-check.js';
import { createEndOfChainMiddleware } from './http/end-of-chain.middleware.js';
import { createErrorMiddlewares } from './http/error.middleware.js';
import { ErrorAnswers } from './http/error-answers.js';
import { LibraryRequests } from './http/library-requests.js';
import { assertMountingWorks } from './http/mounting-check.js';
import { createReadBodyMiddleware } from './http/read-body.middleware.js';
import { createRequestContextMiddleware } from './http/request-context.middleware.js';
import { createRequireAuth } from './http/require-auth.js';
import { createUnknownRouteMiddleware } from './http/unknown-route.middleware.js';
import type { AuthKernel } from './kernel.js';
import type { Class } from './service-maker.js';
import { namesOf } from './settings/setting-names.js';

/** The options of routing-controllers that the app chooses itself. `controllers` takes classes, not file names. */
export type AppServerOptions = Omit<
  RoutingControllersOptions,
  'controllers' | 'authorizationChecker' | 'currentUserChecker' | 'defaultErrorHandler'
> & { readonly controllers?: readonly Class<object>[] };

/** The library's part of a routing-controllers server: controllers, middlewares and checkers. */
export class AuthServer {
  readonly authentication: RequestAuthentication;
  /** Makes the middleware of `auth.requireAuth`. */
  readonly requireAuth: ReturnType<typeof createRequireAuth>;
  readonly #requests: LibraryRequests;
  readonly #middlewares: readonly Class<object>[];

  /** @param container where the classes are registered, for routing-controllers */
  constructor(
    private readonly kernel: AuthKernel & { readonly authenticators: Authenticators },
    private readonly controllers: readonly Class<object>[],
    private readonly container: ContainerInstance,
  ) {
    const { orm, prefix, settings, http } = kernel;
    const answers = new ErrorAnswers(kernel, http.pages);
    this.#requests = new LibraryRequests(prefix, settings);
    this.#requests.watch(controllers);
    this.authentication = new RequestAuthentication({ ...kernel, requests: this.#requests });
    this.requireAuth = createRequireAuth(this.authentication, answers);
    this.#middlewares = [
      createRequestContextMiddleware(orm, http.strictOriginGuard),
      createReadBodyMiddleware(),
      createUnknownRouteMiddleware(prefix),
      createEndOfChainMiddleware(),
      ...createErrorMiddlewares(answers, this.#requests),
    ];
    this.#register([...controllers, ...this.#middlewares]);
  }

  /**
   * Adds the library's controllers, middlewares and checkers to the app's options.
   *
   * @throws controller_refused, TypeError: see `JwtAllauth.serverOptions`
   */
  options(app: AppServerOptions): RoutingControllersOptions {
    const { controllers = [], middlewares = [], interceptors = [] } = app;
    const { settings, prefix, logger, users } = this.kernel;
    assertMountingWorks(settings, prefix, app.routePrefix ?? '', logger);
    assertNoOtherCheckers(app);
    assertControllersAreSafe(controllers, users.entity);
    assertInjectionWorks([...controllers, ...middlewares, ...interceptors], this.container);
    if (settings.emailVerification === 'none') this.#warnOfEmailVerified(controllers);
    const wrappedInterceptors = createAppInterceptors(interceptors, this.#requests);
    this.#register(wrappedInterceptors);
    return {
      ...app,
      authorizationChecker: createAuthorizationChecker(this.authentication),
      currentUserChecker: createCurrentUserChecker(this.authentication),
      controllers: [...this.controllers, ...controllers],
      middlewares: [...this.#middlewares, ...(middlewares as Class<object>[])],
      interceptors: wrappedInterceptors,
      defaultErrorHandler: false,
    };
  }

  /** Registers the library's classes, which have no constructor parameters, in the container. */
  #register(classes: readonly Class<object>[]): void {
    for (const type of classes) this.container.set({ id: type, type: type as new () => object });
  }

  /** Warns of routes with `EmailVerified`: without verification, every address counts as confirmed. */
  #warnOfEmailVerified(app: readonly unknown[]): void {
    const controllers = usesOfEmailVerified(app);
    if (controllers.length === 0) return;
    const name = namesOf(this.kernel.settings)('emailVerification');
    const message = `EmailVerified proves nothing while ${name} is none: use optional or mandatory`;
    this.kernel.logger.warn({ controllers }, message);
  }
}
