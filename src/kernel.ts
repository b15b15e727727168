import { inspect } from 'node:util';
import type { EntityMetadata } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { ContainerInstance } from 'typedi';
import type { Clock } from './clock.js';
import { Database } from './database/database.js';
import { assertOneHost } from './database/one-host.js';
import { entityMetadata } from './database/table.js';
import { isDatabaseUnavailable } from './database/unavailability.js';
import { Nonces } from './dpop/nonces.js';
import { ProofVerifier } from './dpop/proof-verifier.js';
import { RequestProofs } from './dpop/request-proofs.js';
import { UsedProofs } from './dpop/used-proofs.js';
import { type ControllerParts, createControllerParts } from './http/controller-parts.js';
import { InputFields, type InputUse } from './http/input-fields.js';
import type { InputClass } from './http/route-description.js';
import { Counters } from './limits/counters.js';
import { EventCounters } from './limits/event-counters.js';
import { createMailParts, type MailParts } from './mail/mail-parts.js';
import type { MailWords } from './mail/mail-words.js';
import type { Mailer } from './mail/mailer.js';
import { AuthEvents } from './observability/auth-events.js';
import { Journal } from './observability/journal.js';
import type { Logger } from './observability/logger.js';
import { Telemetry } from './observability/telemetry.js';
import { EncryptionKeys } from './secrets/encryption-keys.js';
import { type Class, type ServiceMaker, serviceMaker } from './service-maker.js';
import type { AuthHooks } from './sessions/auth-hooks.js';
import { SESSION_ENTITY } from './sessions/session.entity.js';
import { createSessionParts, type SessionParts } from './sessions/session-parts.js';
import { readEncryptionKey } from './settings/encryption-key.js';
import { namesOf } from './settings/setting-names.js';
import type { Settings } from './settings/settings.js';
import { createSignInParts, type SignInParts } from './sign-in/sign-in-parts.js';
import { KeyRing } from './tokens/key-ring.js';
import { OneTimeKeys } from './tokens/one-time-keys.js';
import { resolveTokenClass } from './tokens/resolve-token-class.js';
import { TokenFactory } from './tokens/token-factory.js';
import { relationsOf } from './tokens/user-attributes.js';
import { Accounts } from './users/accounts.js';
import type { LegacyPasswords } from './users/legacy-passwords.js';
import { PasswordHasher } from './users/password-hasher.js';
import { PasswordPolicy } from './users/password-policy.js';
import { PendingSignUps } from './users/pending-sign-ups.js';
import { SignUpBrowsers } from './users/sign-up-browsers.js';
import { UserService } from './users/user.service.js';
import { UserCreationService } from './users/user-creation.service.js';

/** Options of `createAuthKernel`. */
export interface AuthKernelOptions {
  readonly orm: MikroORM;
  readonly settings: Settings;
  /** The app's subclasses of services. Each replaces the service that it extends. */
  readonly services: readonly Class<object>[];
  readonly logger: Logger;
  readonly container: ContainerInstance;
  readonly clock: Clock;
  /** Path prefix of the auth controllers. */
  readonly prefix: string;
  /** The texts of the mails of all modules, by name of the mail. */
  readonly mailWords: Readonly<Record<string, MailWords>>;
  /** The bodies of the pages of all modules, by name of the page. */
  readonly pages: Readonly<Record<string, string>>;
  /** The app's mailer. */
  readonly mailer?: Mailer;
  /** Verifies the password hashes of an older system. */
  readonly legacyPasswords?: LegacyPasswords;
  /** The app's hooks before a sign-up, a sign-in and a refresh. */
  readonly hooks?: AuthHooks;
  /** The app's subclasses of inputs, with additional fields. */
  readonly inputs?: Readonly<Partial<Record<InputUse, InputClass>>>;
}

/** The first layer: settings, database, keys, log, metrics and events. */
interface Foundation {
  readonly orm: MikroORM;
  readonly settings: Settings;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Path prefix of the auth controllers. */
  readonly prefix: string;
  /** The app's hooks before a sign-up, a sign-in and a refresh. */
  readonly hooks: AuthHooks;
  /** Makes a service, or the app's subclass of it, and registers it in the app's container. */
  readonly make: ServiceMaker;
  readonly database: Database;
  /** The keys that sign tokens. */
  readonly keys: KeyRing;
  /** The keys that encrypt stored values. */
  readonly encryption: EncryptionKeys;
  readonly telemetry: Telemetry;
  readonly events: AuthEvents;
  readonly journal: Journal;
}

/** The second layer: users, tokens, rate limit counters and DPoP proofs. */
interface UserParts extends Foundation {
  readonly users: UserService;
  readonly accounts: Accounts;
  readonly userCreation: UserCreationService;
  /** The fields that the app adds to the library's inputs. */
  readonly inputs: Readonly<Record<InputUse, InputFields>>;
  readonly signUps: PendingSignUps;
  readonly signUpBrowsers: SignUpBrowsers;
  readonly hasher: PasswordHasher;
  readonly passwordPolicy: PasswordPolicy;
  readonly tokens: TokenFactory;
  readonly oneTimeKeys: OneTimeKeys;
  readonly counters: Counters;
  readonly eventCounters: EventCounters;
  readonly proofVerifier: ProofVerifier;
  readonly usedProofs: UsedProofs;
  /** The DPoP proofs of requests. */
  readonly requestProofs: RequestProofs;
}

/**
 * The services that features and modules use, by name. A service declares what it needs, such as
 * `Pick<AuthKernel, 'users' | 'sessions'>`, and keeps it in a `protected` property, for the app's subclasses.
 */
export interface AuthKernel extends UserParts, SessionParts, MailParts, SignInParts {
  /** What controllers need in addition to services. */
  readonly http: ControllerParts;
}

/** Makes the services of one app. @throws SettingsError, TypeError */
export async function createAuthKernel(options: AuthKernelOptions): Promise<AuthKernel> {
  const foundation = await createFoundation(options);
  const users = await withUsers(foundation, options);
  const sessions = { ...users, ...createSessionParts(users) };
  const mails = { ...sessions, ...createMailParts(sessions, options) };
  const parts = { ...mails, ...createSignInParts(mails) };
  return { ...parts, http: createControllerParts(parts, options.pages) };
}

async function createFoundation(options: AuthKernelOptions): Promise<Foundation> {
  const { orm, settings, logger, clock, prefix, hooks = {} } = options;
  const make = serviceMaker(options.services, options.container);
  assertOneHost(orm);
  const database = new Database(orm);
  await database.usePool().catch((error) => {
    if (isDatabaseUnavailable(error)) return; // the first statement tries again
    logger.warn({}, 'the wait for a connection has no limit: the ORM does not use a pool of pg');
  });
  const keys = new KeyRing(settings);
  const telemetry = await Telemetry.load();
  const events = make(AuthEvents, logger);
  telemetry.count(events);
  const encryption = encryptionKeys(settings, keys, logger);
  const journal = new Journal({ database, orm, events, settings, clock });
  return {
    ...{ orm, settings, logger, clock, prefix, hooks, make, database, keys, encryption, telemetry, events, journal },
    // Printing a service must not print the whole library and the app's ORM.
    ...{ [inspect.custom]: () => 'AuthKernel {}' },
  };
}

/** The keys of ENCRYPTION_KEYS. In development without such keys, a key that is derived from the signing key. */
function encryptionKeys(settings: Settings, keys: KeyRing, logger: Logger): EncryptionKeys {
  const [first, ...others] = settings.encryptionKeys.map(readEncryptionKey).filter((key) => key !== undefined);
  if (first) return new EncryptionKeys([first, ...others]);
  const name = namesOf(settings)('encryptionKeys');
  logger.warn({}, `${name} is not set: stored secrets are lost with the signing key, and production requires it`);
  return new EncryptionKeys([keys.deriveEncryptionKey()]);
}

async function withUsers(base: Foundation, { legacyPasswords, inputs }: AuthKernelOptions): Promise<UserParts> {
  const { orm, settings, database, make, logger } = base;
  const userMeta = entityMetadata(orm.getMetadata(), SESSION_ENTITY).properties['user']?.targetMeta as EntityMetadata;
  const tokenClass = await resolveTokenClass(settings, process.cwd());
  const users = make(UserService, database, orm, userMeta as never);
  const counters = new Counters(base);
  const proofVerifier = new ProofVerifier({ ...base, nonces: new Nonces(base) });
  const usedProofs = new UsedProofs({ ...base, counters });
  return {
    ...base,
    users,
    accounts: new Accounts({ ...base, users }),
    userCreation: make(UserCreationService, { users, database }),
    inputs: {
      registration: new InputFields('registration', inputs?.registration, userMeta),
      profile: new InputFields('profile', inputs?.profile, userMeta),
    },
    signUps: new PendingSignUps(base),
    signUpBrowsers: new SignUpBrowsers(base),
    hasher: make(PasswordHasher, { legacyPasswords, logger }),
    passwordPolicy: make(PasswordPolicy, base),
    tokens: make(TokenFactory, base, tokenClass, relationsOf(settings, userMeta)),
    oneTimeKeys: new OneTimeKeys({ ...base, users }),
    counters,
    eventCounters: new EventCounters({ ...base, counters }),
    proofVerifier,
    usedProofs,
    requestProofs: new RequestProofs({ ...base, proofVerifier, usedProofs }),
  };
}
