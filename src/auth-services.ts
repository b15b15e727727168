import type { EntityMetadata } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { ContainerInstance } from 'typedi';
import { DeactivationService } from './accounts/deactivation.service.js';
import { LoginService } from './accounts/login.service.js';
import { LoginFailures } from './accounts/login-failures.js';
import { LoginLimiter } from './accounts/login-limiter.service.js';
import { LogoutService } from './accounts/logout.service.js';
import { PasswordChangeService } from './accounts/password-change.service.js';
import { ProfileService } from './accounts/profile.service.js';
import { PurgeService } from './accounts/purge.service.js';
import { RegistrationService } from './accounts/registration.service.js';
import type { Clock } from './clock.js';
import { Database } from './database/database.js';
import { entityMetadata } from './database/table.js';
import { isDatabaseUnavailable } from './database/unavailability.js';
import { AuthEvents } from './observability/auth-events.js';
import { Journal } from './observability/journal.js';
import type { Logger } from './observability/logger.js';
import { Telemetry } from './observability/telemetry.js';
import { type Class, type ServiceMaker, serviceMaker } from './service-maker.js';
import { RevocationListener } from './sessions/revocation-listener.js';
import { RotationService } from './sessions/rotation.service.js';
import { SESSION_ENTITY } from './sessions/session.entity.js';
import { SessionService } from './sessions/session.service.js';
import { SessionChecker } from './sessions/session-checker.js';
import { SessionEndings } from './sessions/session-endings.js';
import { SessionStore } from './sessions/session-store.js';
import type { Settings } from './settings/settings.js';
import { KeyRing } from './tokens/key-ring.js';
import { resolveTokenClass } from './tokens/resolve-token-class.js';
import { TokenFactory } from './tokens/token-factory.js';
import { relationsOf } from './tokens/user-attributes.js';
import { PasswordHasher } from './users/password-hasher.service.js';
import { UserService } from './users/user.service.js';

/** What the services are made of. */
export interface AuthServicesOptions {
  readonly orm: MikroORM;
  readonly settings: Settings;
  /** Subclasses of the app's, to stand in the place of the services that they extend. */
  readonly services: readonly Class<object>[];
  readonly logger: Logger;
  readonly container: ContainerInstance;
  readonly clock: Clock;
}

/** Every service of one app. */
export type AuthServices = Awaited<ReturnType<typeof createAuthServices>>;

/** Makes the services of one app, each of them once. @throws SettingsError, TypeError */
export async function createAuthServices(options: AuthServicesOptions) {
  const make = serviceMaker(options.services, options.container);
  const foundation = await createFoundation(options, make);
  const sessions = createSessionServices(options, foundation, make);
  const accounts = createAccountServices(options, { ...foundation, ...sessions }, make);
  make.assertAllUsed();
  return { ...foundation, ...sessions, ...accounts };
}

type Foundation = Awaited<ReturnType<typeof createFoundation>>;
type SessionServices = ReturnType<typeof createSessionServices>;

/** What everything else stands on: the database, the users, the tokens, and where is told what happens. */
async function createFoundation({ orm, settings, logger, clock }: AuthServicesOptions, make: ServiceMaker) {
  const database = new Database(orm);
  await database.usePool().catch((error) => {
    if (isDatabaseUnavailable(error)) return; // asked again when it is needed
    logger.warn({}, 'the wait for a connection cannot be bounded: not a pool of pg');
  });
  const userMeta = entityMetadata(orm.getMetadata(), SESSION_ENTITY).properties['user']?.targetMeta as EntityMetadata;
  const tokenClass = await resolveTokenClass(settings.refreshToken, process.cwd());
  const relations = relationsOf(settings.userAttributes, userMeta);
  const keys = new KeyRing(settings);

  const telemetry = await Telemetry.load();
  const events = make(AuthEvents, logger);
  telemetry.count(events);
  const journal = new Journal(database, orm, events, settings, clock);
  const users = make(UserService, database, orm, userMeta as never);
  const tokens = make(TokenFactory, tokenClass, relations, keys, settings, clock);
  return { database, keys, telemetry, events, journal, users, tokens };
}

function createSessionServices(
  { orm, settings, logger, clock }: AuthServicesOptions,
  { database, telemetry, journal, users, tokens }: Foundation,
  make: ServiceMaker,
) {
  const store = new SessionStore(database, users, orm);
  const endings = new SessionEndings(database, orm, users, settings, clock);
  const sessions = make(SessionService, database, store, endings, users, tokens, journal, settings, clock);
  const parts = [
    database,
    store,
    endings,
    sessions,
    users,
    tokens,
    settings,
    clock,
    journal,
    telemetry,
    logger,
  ] as const;
  const rotation = make(RotationService, ...parts);
  const listener = new RevocationListener(database, orm, settings, clock, telemetry, logger);
  const checker = new SessionChecker(listener, sessions, settings);
  return { sessions, rotation, listener, checker };
}

function createAccountServices(
  { orm, settings, clock }: AuthServicesOptions,
  { database, keys, telemetry, journal, users, tokens, sessions }: Foundation & SessionServices,
  make: ServiceMaker,
) {
  const hasher = make(PasswordHasher);
  const secret = keys.deriveSecret('login limits');
  const limiter = make(LoginLimiter, database, orm, settings, clock, secret);
  const failures = new LoginFailures(journal);
  const proof = [users, hasher, limiter, failures, sessions] as const;
  return {
    login: make(LoginService, ...proof, telemetry),
    registration: make(RegistrationService, database, users, hasher, sessions, journal, telemetry),
    logout: make(LogoutService, tokens, sessions),
    passwordChange: make(PasswordChangeService, database, ...proof, journal, settings, telemetry),
    profile: make(ProfileService, database, users),
    deactivation: make(DeactivationService, database, users, sessions, journal),
    purge: make(PurgeService, database, orm, settings, clock),
  };
}
