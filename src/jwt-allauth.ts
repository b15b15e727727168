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
import type { RegistrationInput } from './features/registration/registration.input.js';
import type { HttpRequest, HttpResponse } from './http/http-message.js';
import type { TokenBody } from './http/refresh-token-transport.js';
import type { RequireAuth } from './http/require-auth.js';
import { assertRouteSwitches, type RouteSwitches, switchedOn } from './http/route-switches.js';
import { type AuthKernel, createAuthKernel } from './kernel.js';
import type { Mailer } from './mail/mailer.js';
import type { Outbox } from './mail/outbox.js';
import type { AuthModule, ModuleParts } from './module.js';
import { assertModulesFit, sweepsOf } from './module-check.js';
import type { AuthEvents } from './observability/auth-events.js';
import { consoleLogger, type Logger } from './observability/logger.js';
import type { Class } from './service-maker.js';
import type { AuthHooks } from './sessions/auth-hooks.js';
import type { DeactivationService } from './sessions/deactivation.service.js';
import type { SessionService } from './sessions/session.service.js';
import { resolveSettings, type Settings, type SettingsInput, settingsOf } from './settings/settings.js';
import type { AppSignIn } from './sign-in/sign-in-attempt.js';
import { STANDARD_MODULES } from './standard-modules.js';
import type { TokenFactory } from './tokens/token-factory.js';
import type { Tokens } from './tokens/tokens.js';
import type { LegacyPasswords } from './users/legacy-passwords.js';
import type { PasswordOwner } from './users/user.service.js';

/** Classes that extend inputs of ours by fields, each with rules of class-validator. */
export interface AppInputs {
  /** Of the sign-up. */
  readonly registration?: new () => RegistrationInput;
  /** Of what users may change about themselves. */
  readonly profile?: new () => ProfileInput;
}

/** The options of `createJwtAllauth`. */
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
  /**
   * Ways of the app to find out who sends a request without an access token of ours, in the order in which they are
   * asked. Each is made by the container where that knows the class, and else without arguments. Our own routes never
   * take what they say.
   */
  readonly authenticators?: readonly AuthenticatorClass[];
  /**
   * Where our services, controllers and middlewares are registered. Default: TypeDI's own; a second app in the process
   * gives one of its own. routing-controllers must know it (`useContainer`).
   */
  readonly container?: ContainerInstance;
  /** The app's own way to send mails. Default: SMTP_URL, or in development the console. */
  readonly mailer?: Mailer;
  /**
   * Checks password hashes of the system that was there before, which are not argon2id. A right password is hashed anew
   * at sign-in.
   */
  readonly legacyPasswords?: LegacyPasswords;
  /** What runs before a sign-up, a sign-in and a refresh. A hook that throws refuses it with the app's own error. */
  readonly hooks?: AuthHooks;
  /**
   * Classes that extend `RegistrationInput` and `ProfileInput`. Their fields are written to the user's properties of
   * the same names, and are in `GET /user`.
   */
  readonly inputs?: AppInputs;
  /** Endpoints that are switched off: `{ registration: false }`. They answer 404 and are not in OpenAPI. */
  readonly routes?: RouteSwitches;
  /** Default: the system's clock. */
  readonly clock?: Clock;
}

/** Authentication for one app, made by `createJwtAllauth`. */
export interface JwtAllauth {
  readonly settings: Settings;
  /** Path below which our controllers answer. */
  readonly prefix: string;
  /** Our controllers, as the settings want them. */
  readonly controllers: readonly Class<object>[];
  /** Every error that our routes answer with, by code: those of the library and of the modules. */
  readonly errors: ErrorTable;
  readonly events: AuthEvents;
  readonly tokens: TokenFactory;
  readonly sessions: SessionService;
  /**
   * Signs in a user whom the app knows by a way of its own, through every gate: for somebody who has just proved who
   * they are.
   *
   * @throws second_factor_required (the challenge), no_active_account, email_not_verified, and what a hook throws
   */
  signIn(user: Pick<PasswordOwner, 'id' | 'passwordHash'>, how: AppSignIn): Promise<Tokens>;
  readonly deactivation: DeactivationService;
  readonly purge: PurgeService;
  /** The mails that wait to be sent. */
  readonly outbox: Outbox;
  /**
   * Who sends a request, or whose access token this is: for a WebSocket, GraphQL, or anything else outside of
   * routing-controllers. It heeds ACCESS_TOKEN_SESSION_CHECK. A request is looked at once, a token at each call.
   *
   * @throws not_authenticated, token_not_valid, service_unavailable, and what an authenticator throws
   */
  authenticate(requestOrToken: IncomingMessage | string): Promise<Principal>;
  /**
   * A middleware for routes of Express itself, version 4 or 5: who passes is as with `@Authorized(…rules)`, and is then
   * `request.principal`. Everybody else is answered as our routes answer.
   *
   * @throws controller_refused for a rule that is neither a role number nor a predicate
   */
  requireAuth(...rules: readonly AccessRule[]): RequireAuth;
  /**
   * Hands the tokens of a new session to the client of a route of the app, as our sign-in does: sets the refresh cookie
   * and ends the session of the one that it replaces, or gives both tokens for the body. The settings and the request
   * say which. Guard the route by `@FromOwnOrigin()`.
   *
   * @returns the body of the answer
   * @throws bad_request for an `Auth-Transport` that the settings do not allow
   */
  deliver(request: HttpRequest, response: HttpResponse, tokens: Tokens): Promise<TokenBody>;
  /**
   * The options for `createExpressServer` or `useExpressServer`: the app's own, with our controllers, middlewares and
   * checkers added.
   *
   * @throws controller_refused for a controller that would be less protected than it looks
   * @throws TypeError for a `routePrefix` without its slash, where PUBLIC_URL does not end with it, and for a
   * REFRESH_TOKEN_COOKIE_PATH that does not reach our routes below PUBLIC_URL
   */
  serverOptions(options?: AppServerOptions): RoutingControllersOptions;
  /**
   * Stops the background work: that of modules, the sending of mails, and the connection that listens for revocations.
   *
   * @throws what the `close` of a module throws, after all the rest is stopped
   */
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
  const { clock = new Clock(), container = Container.of(), routes = {} } = options;
  if (!/^(\/[\w.~-]+)+$/.test(prefix))
    throw new TypeError('prefix must be a path such as /auth, without a slash at its end');
  const own = modulesOf(orm);
  const modules = [...STANDARD_MODULES, ...own];
  assertModulesFit(modules, orm);
  assertRouteSwitches(
    routes,
    modules.flatMap((module) => module.routes ?? []),
  );
  const settings = resolveSettings(options.settings, undefined, modules);
  const mailWords = Object.assign({}, ...modules.map(({ mails }) => mails));
  const { mailer, legacyPasswords, hooks, inputs } = options;
  const byApp = { mailer, legacyPasswords, hooks, inputs };
  const parts = { orm, settings, services, logger, container, clock, prefix, mailWords, ...byApp };
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
  return {
    settings,
    prefix,
    controllers,
    errors: Object.assign({}, ERRORS, ...modules.map(({ errors }) => errors)),
    events,
    tokens,
    sessions,
    signIn: (user, how) => kernel.signIn.signInByApp(user, how),
    deactivation,
    purge,
    outbox,
    authenticate: (requestOrToken) => server.authentication.authenticate(requestOrToken),
    requireAuth: server.requireAuth,
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
  };
}

/** Makes the parts of all modules, and puts their gates behind those of the library. */
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
  return features;
}

/** @throws what the `close` of a module throws, after all the rest is stopped */
async function stopBackgroundWork(kernel: AuthKernel, features: readonly ModuleParts[]): Promise<void> {
  await kernel.backgroundJobs.runPending();
  const closed = await Promise.allSettled(features.map(async (feature) => feature.close?.()));
  await kernel.outbox.stop();
  await kernel.listener.stop();
  const failed = closed.find((each) => each.status === 'rejected');
  if (failed) throw failed.reason;
}
