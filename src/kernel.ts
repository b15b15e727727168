import { inspect } from 'node:util';
import type { EntityMetadata } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { ContainerInstance } from 'typedi';
import type { Clock } from './clock.js';
import { Database } from './database/database.js';
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
import { AccountMails } from './mail/account-mails.js';
import { BackgroundJobs } from './mail/background-jobs.js';
import { ConsoleMailer } from './mail/console-mailer.js';
import { EmailOwnership } from './mail/email-ownership.js';
import { MailLimiter } from './mail/mail-limiter.js';
import { MailTemplates } from './mail/mail-templates.js';
import type { MailWords } from './mail/mail-words.js';
import type { Mailer } from './mail/mailer.js';
import { Outbox } from './mail/outbox.js';
import { SmtpMailer } from './mail/smtp-mailer.js';
import { AuthEvents } from './observability/auth-events.js';
import { Journal } from './observability/journal.js';
import type { Logger } from './observability/logger.js';
import { Telemetry } from './observability/telemetry.js';
import { EncryptionKeys } from './secrets/encryption-keys.js';
import { type Class, type ServiceMaker, serviceMaker } from './service-maker.js';
import type { AuthHooks } from './sessions/auth-hooks.js';
import { ClientNetworks } from './sessions/client-networks.js';
import { DeactivationService } from './sessions/deactivation.service.js';
import { KnownNetworks } from './sessions/known-networks.js';
import { LogoutService } from './sessions/logout.service.js';
import { RemoteRevocations } from './sessions/remote-revocations.js';
import { Replays } from './sessions/replays.js';
import { ReuseReports } from './sessions/reuse-reports.js';
import { RevocationListener } from './sessions/revocation-listener.js';
import { RotationService } from './sessions/rotation.service.js';
import { RotationOrigins } from './sessions/rotation-origins.js';
import { SESSION_ENTITY } from './sessions/session.entity.js';
import { SessionService } from './sessions/session.service.js';
import { SessionChecker } from './sessions/session-checker.js';
import { SessionEndings } from './sessions/session-endings.js';
import { SessionKeys } from './sessions/session-keys.js';
import { SessionProofs } from './sessions/session-proofs.js';
import { SessionStore } from './sessions/session-store.js';
import { TokenChoice } from './sessions/token-choice.js';
import { readEncryptionKey } from './settings/encryption-key.js';
import { namesOf } from './settings/setting-names.js';
import type { Settings } from './settings/settings.js';
import { SettingsError } from './settings/settings-error.js';
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
import { prepareStrengthEstimate } from './users/password-strength.js';
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

/** The second layer: users, tokens and rate limit counters. */
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

/** The third layer: sessions. */
interface SessionParts extends UserParts {
  readonly clientNetworks: ClientNetworks;
  readonly sessionStore: SessionStore;
  readonly sessionEndings: SessionEndings;
  readonly knownNetworks: KnownNetworks;
  readonly sessions: SessionService;
  readonly sessionProofs: SessionProofs;
  readonly sessionKeys: SessionKeys;
  readonly reuseReports: ReuseReports;
  readonly replays: Replays;
  readonly rotationOrigins: RotationOrigins;
  readonly tokenChoice: TokenChoice;
  readonly rotation: RotationService;
  readonly logout: LogoutService;
  readonly deactivation: DeactivationService;
  readonly listener: RevocationListener;
  readonly sessionChecker: SessionChecker;
}

/** The fourth layer: mails, background jobs and which user an e-mail address belongs to. */
interface MailParts extends SessionParts {
  readonly outbox: Outbox;
  readonly mailLimiter: MailLimiter;
  readonly mailTemplates: MailTemplates;
  readonly mails: AccountMails;
  readonly backgroundJobs: BackgroundJobs;
  readonly emailOwnership: EmailOwnership;
}

/**
 * The services that features and modules use, by name. A service declares what it needs, such as
 * `Pick<AuthKernel, 'users' | 'sessions'>`, and keeps it in a `protected` property, for the app's subclasses.
 */
export interface AuthKernel extends MailParts, SignInParts {
  /** What controllers need in addition to services. */
  readonly http: ControllerParts;
}

/** Makes the services of one app. @throws SettingsError, TypeError */
export async function createAuthKernel(options: AuthKernelOptions): Promise<AuthKernel> {
  const foundation = await createFoundation(options);
  const mails = withMails(withSessions(await withUsers(foundation, options)), options);
  const parts = { ...mails, ...createSignInParts(mails) };
  return { ...parts, http: createControllerParts(parts, options.pages) };
}

async function createFoundation(options: AuthKernelOptions): Promise<Foundation> {
  const { orm, settings, logger, clock, prefix, hooks = {} } = options;
  const make = serviceMaker(options.services, options.container);
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

/** The keys of ENCRYPTION_KEYS. In development, if there are none, a key that is derived from the signing key. */
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
  prepareStrengthEstimate();
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

function withSessions(base: UserParts): SessionParts {
  const { database, orm, users, settings, journal, logger, make } = base;
  const sessionStore = new SessionStore(database, users, orm);
  const remoteRevocations = new RemoteRevocations(base);
  const sessionEndings = new SessionEndings({ ...base, remoteRevocations });
  const stores = { ...base, sessionStore, sessionEndings, knownNetworks: new KnownNetworks(base) };
  const sessions = make(SessionService, stores);
  const reuseReports = new ReuseReports(journal, logger);
  const replays = new Replays({ ...stores, sessions, reuseReports });
  const rotationOrigins = new RotationOrigins(base);
  const own = {
    sessions,
    sessionProofs: new SessionProofs(stores),
    sessionKeys: new SessionKeys(base),
    tokenChoice: new TokenChoice(stores),
  };
  const parts = { ...stores, ...own, reuseReports, replays, rotationOrigins };
  const listener = new RevocationListener({ ...base, remoteRevocations });
  return {
    ...parts,
    clientNetworks: new ClientNetworks(logger),
    rotation: make(RotationService, parts),
    logout: make(LogoutService, parts),
    deactivation: make(DeactivationService, parts),
    listener,
    sessionChecker: new SessionChecker(listener, sessions, settings),
  };
}

function withMails(base: SessionParts, { mailer, mailWords }: AuthKernelOptions): MailParts {
  const { settings, eventCounters, clientNetworks, make } = base;
  const outbox = make(Outbox, { ...base, mailer: mailer ?? defaultMailer(settings) });
  const mailLimiter = make(MailLimiter, eventCounters, settings, clientNetworks);
  const mailTemplates = new MailTemplates(settings, mailWords);
  const parts = { ...base, outbox, mailLimiter, mailTemplates };
  const mails = new AccountMails(parts);
  return { ...parts, mails, backgroundJobs: new BackgroundJobs(parts), emailOwnership: new EmailOwnership(base) };
}

/** @throws SettingsError in production, if PUBLIC_URL is set but neither SMTP_URL nor a mailer */
function defaultMailer(settings: Settings): Mailer {
  if (settings.smtpUrl) return new SmtpMailer(settings);
  if (settings.publicUrl === undefined || settings.development) return new ConsoleMailer();
  const nameOf = namesOf(settings);
  const message = `is required in production if ${nameOf('publicUrl')} is set, unless the app passes a mailer`;
  throw new SettingsError([{ setting: nameOf('smtpUrl'), message }]);
}
