import type { IncomingMessage } from 'node:http';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { RoutingControllersOptions } from 'routing-controllers';
import { Container, type ContainerInstance } from 'typedi';
import { modulesOf } from './auth-entities.js';
import { type AppServerOptions, AuthServer } from './auth-server.js';
import type { AccessRule } from './authentication/access-rule.js';
import type { AuthenticatorClass } from './authentication/authenticator.js';
import { Authenticators } from './authentication/authenticators.js';
import type { Principal } from './authentication/principal.js';
import { usesRevocationList } from './authentication/session-check.decorator.js';
import { Clock } from './clock.js';
import { PurgeService } from './database/purge.service.js';
import { ERRORS, type ErrorTable } from './error-table.js';
import type { ProfileInput } from './features/account/profile.input.js';
import type { HttpRequest, HttpResponse } from './http/http-message.js';
import type { TokenBody } from './http/refresh-token-transport.js';
import type { RegistrationInput } from './http/registration.input.js';
import type { RequireAuth } from './http/require-auth.js';
import { assertRouteSwitches, type RouteSwitches, switchedOn } from './http/route-switches.js';
import { type AuthKernel, createAuthKernel } from './kernel.js';
import type { Mailer } from './mail/mailer.js';
import type { Outbox } from './mail/outbox.js';
import type { AuthModule, ModuleParts } from './module.js';
import { assertModulesFit, withApi } from './module-check.js';
import type { AuthEvents } from './observability/auth-events.js';
import { consoleLogger, type Logger } from './observability/logger.js';
import type { Class } from './service-maker.js';
import type { AuthHooks } from './sessions/auth-hooks.js';
import type { SessionClient } from './sessions/client-device.js';
import type { DeactivationService } from './sessions/deactivation.service.js';
import type { SessionService } from './sessions/session.service.js';
import { resolveSettings, type Settings, type SettingsInput, settingsOf } from './settings/settings.js';
import type { AppSignIn } from './sign-in/sign-in-attempt.js';
import { STANDARD_MODULES } from './standard-modules.js';
import { sweepsOf } from './sweeps.js';
import type { TokenFactory } from './tokens/token-factory.js';
import type { Tokens } from './tokens/tokens.js';
import type { LegacyPasswords } from './users/legacy-passwords.js';
import type { PasswordOwner } from './users/user.service.js';

/** The app's subclasses of request bodies. They add fields with class-validator rules. */
export interface AppInputs {
  /** The body of a sign-up. */
  readonly registration?: new () => RegistrationInput;
  /** The body of a profile update. */
  readonly profile?: new () => ProfileInput;
}

/** The options of `createJwtAllauth`. */
export interface JwtAllauthOptions {
  /** An initialised ORM. Its entities include the app's user and those from `createAuthEntities`. */
  readonly orm: MikroORM;
  /** The result of `settingsFromEnv`, or an object with settings. */
  readonly settings: Settings | SettingsInput;
  /** The path prefix of the library's routes. Default: `/auth`. */
  readonly prefix?: string;
  /**
   * The app's subclasses of the library's services. Each replaces the service that it extends, and gets the same
   * constructor arguments. Most of them find other services in `this.kernel`.
   */
  readonly services?: readonly Class<object>[];
  /** Default: writes warnings and errors to standard error. */
  readonly logger?: Logger;
  /**
   * The app's authenticators, for requests without an access token of this library, such as requests with an API key.
   * They are called in this order. The container makes each if it knows the class; otherwise the library makes it
   * without arguments. The library's own routes do not accept them.
   */
  readonly authenticators?: readonly AuthenticatorClass[];
  /**
   * The TypeDI container for the library's services, controllers and middlewares. Default: the global one. A second app
   * in the same process needs its own. Pass the same container to `useContainer` of routing-controllers.
   */
  readonly container?: ContainerInstance;
  /** Sends the mails. Default: over SMTP_URL; in development without SMTP_URL, prints them on the console. */
  readonly mailer?: Mailer;
  /**
   * Verifies password hashes of an older system, which are not argon2id. After a successful sign-in the library
   * replaces the hash by an argon2id hash.
   */
  readonly legacyPasswords?: LegacyPasswords;
  /**
   * Functions that run before a sign-up, a sign-in and a refresh. A hook refuses it by throwing the app's own error.
   */
  readonly hooks?: AuthHooks;
  /**
   * Subclasses of `RegistrationInput` and `ProfileInput`. Their fields are stored in the user's properties of the same
   * names, and `GET /user` returns them.
   */
  readonly inputs?: AppInputs;
  /** Switches routes off, as in `{ registration: false }`. They answer 404 and are not in the OpenAPI document. */
  readonly routes?: RouteSwitches;
  /** Default: the system's clock. */
  readonly clock?: Clock;
}

/** The library as one app uses it, made by `createJwtAllauth`. */
export interface JwtAllauth {
  readonly settings: Settings;
  /** The path prefix of the library's routes. */
  readonly prefix: string;
  /** The controllers of the library and of the app's modules, except routes that are switched off. */
  readonly controllers: readonly Class<object>[];
  /** The errors of the library and of the app's modules, by code. */
  readonly errors: ErrorTable;
  readonly events: AuthEvents;
  /** The source of the current time: the `clock` of the options. */
  readonly clock: Clock;
  readonly tokens: TokenFactory;
  readonly sessions: SessionService;
  /**
   * Signs in a user whom the app itself has authenticated. The sign-in passes all hooks and gates, such as a second
   * factor.
   *
   * @throws second_factor_required (the challenge), no_active_account, email_not_verified, and what a hook throws
   */
  signIn(user: Pick<PasswordOwner, 'id' | 'passwordHash'>, how: AppSignIn): Promise<Tokens>;
  readonly deactivation: DeactivationService;
  readonly purge: PurgeService;
  /** The queue of mails. */
  readonly outbox: Outbox;
  /**
   * Authenticates a request or an access token outside of routing-controllers, for example for a WebSocket or GraphQL.
   * Applies ACCESS_TOKEN_SESSION_CHECK. The result for a request is cached; a token is checked at each call.
   *
   * @throws not_authenticated, token_not_valid, service_unavailable, and what an authenticator throws
   */
  authenticate(requestOrToken: IncomingMessage | string): Promise<Principal>;
  /**
   * Makes a middleware for plain Express routes (version 4 or 5), with the same rules as `@Authorized(…rules)`. It
   * sets `request.principal`. Requests that it refuses get the library's error response.
   *
   * @throws controller_refused for a rule that is neither a role number nor a predicate
   */
  requireAuth(...rules: readonly AccessRule[]): RequireAuth;
  /**
   * The client of a request to the app's own sign-in route, with its DPoP proof, to which the session is bound. Call it
   * before the route changes anything.
   *
   * @throws dpop_proof_missing, dpop_proof_invalid, use_dpop_nonce
   */
  clientOf(request: HttpRequest): SessionClient;
  /**
   * Prepares the response of the app's own sign-in route, as the library's sign-in does. The settings and the request
   * choose the transport. With cookies, it sets the refresh cookie and ends the session of a cookie that it replaces;
   * otherwise the body contains both tokens. Guard the route with `@FromOwnOrigin()`.
   *
   * @returns the body of the response
   * @throws bad_request for an `Auth-Transport` that the settings do not allow
   */
  deliver(request: HttpRequest, response: HttpResponse, tokens: Tokens): Promise<TokenBody>;
  /**
   * The options for `createExpressServer` or `useExpressServer`: the app's options, with the library's controllers,
   * middlewares and checkers added.
   *
   * @throws controller_refused for a controller that has less protection than its source suggests
   * @throws TypeError for a `routePrefix` without a leading slash or with which PUBLIC_URL does not end, and for a
   * REFRESH_TOKEN_COOKIE_PATH that does not include the library's routes below PUBLIC_URL
   */
  serverOptions(options?: AppServerOptions): RoutingControllersOptions;
  /**
   * Stops all background work: jobs, modules, the outbox, and the connection that listens for revocations.
   *
   * @throws what the `close` of a module throws, after everything has been stopped
   */
  close(): Promise<void>;
}

/**
 * Sets the library up for one app. Two calls with different containers share no state, so that one process can run two
 * apps with different settings.
 *
 * @throws SettingsError with all faults of the settings; TypeError for an unusable prefix, ORM, service or module
 */
export async function createJwtAllauth(options: JwtAllauthOptions): Promise<JwtAllauth> {
  const { orm, prefix = '/auth', services = [], logger = consoleLogger } = options;
  const { clock = new Clock(), container = Container.of(), routes = {} } = options;
  if (!/^(\/[\w.~-]+)+$/.test(prefix))
    throw new TypeError('prefix must be a path such as /auth, without a slash at its end');
  const appModules = modulesOf(orm);
  const modules = [...STANDARD_MODULES, ...appModules];
  assertModulesFit(modules, orm);
  assertRouteSwitches(
    routes,
    modules.flatMap((module) => module.routes ?? []),
  );
  const settings = resolveSettings(options.settings, undefined, modules);
  const mailWords = Object.assign({}, ...modules.map(({ mails }) => mails));
  const pages = Object.assign({}, ...modules.map((module) => module.pages));
  const { mailer, legacyPasswords, hooks, inputs } = options;
  const byApp = { mailer, legacyPasswords, hooks, inputs };
  const parts = { orm, settings, services, logger, container, clock, prefix, mailWords, pages, ...byApp };
  const kernel = await createAuthKernel(parts);
  const features = await createFeatures(kernel, modules, routes);
  const purge = kernel.make(PurgeService, { sweeps: sweepsOf(kernel, modules, features), clock });
  kernel.make.assertAllUsed();
  const { events, tokens, sessions, deactivation, outbox, listener } = kernel;
  if (settings.accessTokenSessionCheck === 'revocation-list') await listener.start();
  const ofModules = features.flatMap((feature) => feature.authenticators ?? []);
  const authenticators = new Authenticators(options.authenticators ?? [], container, ofModules);
  const controllers = features.flatMap((feature) => feature.controllers ?? []);
  const server = new AuthServer({ ...kernel, authenticators }, controllers, container);
  return withApi<JwtAllauth>(modules, features, {
    settings,
    prefix,
    controllers,
    errors: Object.assign({}, ERRORS, ...modules.map(({ errors }) => errors)),
    events,
    clock,
    tokens,
    sessions,
    signIn: (user, how) => kernel.signIn.signInByApp(user, how),
    deactivation,
    purge,
    outbox,
    authenticate: (requestOrToken) => server.authentication.authenticate(requestOrToken),
    requireAuth: server.requireAuth,
    clientOf: (request) => kernel.http.transport.clientOf(request),
    deliver: (request, response, tokens) => {
      response.setHeader('Cache-Control', 'no-store');
      return kernel.http.transport.signIn(request, response, tokens);
    },
    serverOptions: (app = {}) => {
      if (settings.publicUrl !== undefined) outbox.start();
      if (usesRevocationList(app.controllers ?? [])) void listener.start();
      return server.options(app);
    },
    close: () => stopBackgroundWork(kernel, features),
  });
}

/** Creates the parts of all modules, and adds what they contribute to the sign-in. */
async function createFeatures(
  kernel: AuthKernel,
  modules: readonly AuthModule[],
  routes: RouteSwitches,
): Promise<ModuleParts[]> {
  const features: ModuleParts[] = [];
  for (const module of modules) {
    const made = await module.create(kernel, settingsOf(module, kernel.settings));
    features.push({ ...made, controllers: switchedOn(made.controllers ?? [], routes) });
  }
  for (const gate of features.flatMap(({ gates = [] }) => gates)) kernel.signIn.addGate(gate);
  for (const factor of features.flatMap(({ secondFactors = [] }) => secondFactors)) kernel.secondFactors.add(factor);
  for (const method of features.flatMap((feature) => feature.reAuthentications ?? []))
    kernel.reAuthentications.add(method);
  for (const method of features.flatMap(({ signInMethods = [] }) => signInMethods)) {
    if (!method.route || routes[method.route] !== false) kernel.signInMethods.add(method);
  }
  for (const [name, completion] of features.flatMap(({ completions = {} }) => Object.entries(completions)))
    kernel.signIn.addCompletion(name, completion);
  return features;
}

/** @throws what the `close` of a module throws, after everything has been stopped */
async function stopBackgroundWork(kernel: AuthKernel, features: readonly ModuleParts[]): Promise<void> {
  await kernel.backgroundJobs.runPending();
  const closed = await Promise.allSettled(features.map(async (feature) => feature.close?.()));
  await kernel.outbox.stop();
  await kernel.listener.stop();
  const failed = closed.find((each) => each.status === 'rejected');
  if (failed) throw failed.reason;
}
