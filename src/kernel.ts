import { inspect } from 'node:util';
import type { EntityMetadata } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { ContainerInstance } from 'typedi';
import { AccountDeletionService } from './accounts/account-deletion.service.js';
import { AccountMails } from './accounts/account-mails.js';
import { Addresses } from './accounts/addresses.js';
import { ClientNetworks } from './accounts/client-networks.js';
import { DeactivationService } from './accounts/deactivation.service.js';
import { DeferredWork } from './accounts/deferred-work.js';
import { EmailChangeService } from './accounts/email-change.service.js';
import { EmailUndoService } from './accounts/email-undo.service.js';
import { EmailVerificationService } from './accounts/email-verification.service.js';
import { InvitationService } from './accounts/invitation.service.js';
import { LoginService } from './accounts/login.service.js';
import { LoginFailures } from './accounts/login-failures.js';
import { LoginLimiter } from './accounts/login-limiter.service.js';
import { LogoutService } from './accounts/logout.service.js';
import { MailLimiter } from './accounts/mail-limiter.service.js';
import { PasswordChangeService } from './accounts/password-change.service.js';
import { PasswordProof } from './accounts/password-proof.js';
import { PasswordResetService } from './accounts/password-reset.service.js';
import { PasswordSetter } from './accounts/password-setter.service.js';
import { PendingSignUps } from './accounts/pending-sign-ups.js';
import { ProfileService } from './accounts/profile.service.js';
import { PurgeService } from './accounts/purge.service.js';
import { RegistrationService } from './accounts/registration.service.js';
import { SignUpBrowsers } from './accounts/sign-up-browsers.js';
import { SignUpLimiter } from './accounts/sign-up-limiter.js';
import { TheftNotices } from './accounts/theft-notices.js';
import type { Clock } from './clock.js';
import { Database } from './database/database.js';
import { entityMetadata } from './database/table.js';
import { isDatabaseUnavailable } from './database/unavailability.js';
import { Counters } from './limits/counters.js';
import { EventCounters } from './limits/event-counters.js';
import { ConsoleMailer } from './mail/console-mailer.js';
import { MailTemplates } from './mail/mail-templates.js';
import type { Mailer } from './mail/mailer.js';
import { Outbox } from './mail/outbox.service.js';
import { SmtpMailer } from './mail/smtp-mailer.js';
import { AuthEvents } from './observability/auth-events.js';
import { Journal } from './observability/journal.js';
import type { Logger } from './observability/logger.js';
import { Telemetry } from './observability/telemetry.js';
import { EncryptionKeys } from './secrets/encryption-keys.js';
import { type Class, type ServiceMaker, serviceMaker } from './service-maker.js';
import { KnownNetworks } from './sessions/known-networks.js';
import { Replays } from './sessions/replays.js';
import { ReuseReports } from './sessions/reuse-reports.js';
import { RevocationListener } from './sessions/revocation-listener.js';
import { RotationService } from './sessions/rotation.service.js';
import { RotationOrigins } from './sessions/rotation-origins.js';
import { SESSION_ENTITY } from './sessions/session.entity.js';
import { SessionService } from './sessions/session.service.js';
import { SessionChecker } from './sessions/session-checker.js';
import { SessionEndings } from './sessions/session-endings.js';
import { SessionStore } from './sessions/session-store.js';
import { TokenChoice } from './sessions/token-choice.js';
import { readEncryptionKey } from './settings/encryption-key.js';
import { namesOf } from './settings/setting-names.js';
import type { Settings } from './settings/settings.js';
import { SettingsError } from './settings/settings-error.js';
import { KeyRing } from './tokens/key-ring.js';
import { OneTimeKeys } from './tokens/one-time-keys.service.js';
import { resolveTokenClass } from './tokens/resolve-token-class.js';
import { TokenFactory } from './tokens/token-factory.js';
import { relationsOf } from './tokens/user-attributes.js';
import { PasswordHasher } from './users/password-hasher.service.js';
import { PasswordRules } from './users/password-rules.js';
import { prepareStrengthEstimate } from './users/password-strength.js';
import { UserService } from './users/user.service.js';

/** What the services are made of. */
export interface AuthKernelOptions {
  readonly orm: MikroORM;
  readonly settings: Settings;
  /** Subclasses of the app's, to stand in the place of the services that they extend. */
  readonly services: readonly Class<object>[];
  readonly logger: Logger;
  readonly container: ContainerInstance;
  readonly clock: Clock;
  /** Path of the auth controllers, for links in mails. */
  readonly prefix: string;
  /** The app's own way to send mails. */
  readonly mailer?: Mailer;
}

/** Everything that the parts of one app are made of, by name. A service takes from it what it needs. */
export type AuthKernel = Awaited<ReturnType<typeof createAuthKernel>>;

/** Makes the services of one app, each of them once. @throws SettingsError, TypeError */
export async function createAuthKernel(options: AuthKernelOptions) {
  const make = serviceMaker(options.services, options.container);
  const foundation = await createFoundation(options, make);
  const sessions = withSessions(foundation, make);
  const mails = withMails(sessions, make, options.mailer);
  const accounts = withAccounts(mails, make);
  make.assertAllUsed();
  return accounts;
}

type Foundation = Awaited<ReturnType<typeof createFoundation>>;

/** What everything else stands on: the database, the users, the tokens, and where is told what happens. */
async function createFoundation(options: AuthKernelOptions, make: ServiceMaker) {
  const { orm, settings, logger, clock, prefix } = options;
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
  const base = {
    orm,
    settings,
    logger,
    clock,
    prefix,
    database,
    keys,
    encryption: encryptionKeys(settings, keys, logger),
    telemetry,
    events,
    // A service that is printed does not print the whole library, and what the app's ORM knows.
    [inspect.custom]: () => 'AuthKernel {}',
  };
  return {
    ...base,
    counters: new Counters(base),
    journal: new Journal(base),
    users: make(UserService, database, orm, userMeta as never),
    tokens: make(TokenFactory, base, tokenClass, relations),
  };
}

/** The keys of the settings; in development without any, one that comes from the signing key. */
function encryptionKeys(settings: Settings, keys: KeyRing, logger: Logger): EncryptionKeys {
  const [first, ...others] = settings.encryptionKeys.map(readEncryptionKey).filter((key) => key !== undefined);
  if (first) return new EncryptionKeys([first, ...others]);
  const name = namesOf(settings)('encryptionKeys');
  logger.warn({}, `${name} is not set: what is sealed is lost with the signing key, and production does not start`);
  return new EncryptionKeys([keys.deriveEncryptionKey()]);
}

function withSessions(base: Foundation, make: ServiceMaker) {
  const { database, orm, users, settings, journal, logger } = base;
  const sessionStore = new SessionStore(database, users, orm);
  const sessionEndings = new SessionEndings(base);
  const knownNetworks = new KnownNetworks(base);
  const stores = { ...base, sessionStore, sessionEndings, knownNetworks };
  const sessions = make(SessionService, stores);
  const reuseReports = new ReuseReports(journal, logger);
  const replays = new Replays({ ...stores, sessions, reuseReports });
  const rotationOrigins = new RotationOrigins(base);
  const parts = { ...stores, sessions, reuseReports, replays, rotationOrigins, tokenChoice: new TokenChoice(stores) };
  const listener = new RevocationListener(base);
  const sessionChecker = new SessionChecker(listener, sessions, settings);
  return { ...parts, rotation: make(RotationService, parts), listener, sessionChecker };
}

function withMails(base: ReturnType<typeof withSessions>, make: ServiceMaker, own: Mailer | undefined) {
  const { settings, logger } = base;
  const outbox = make(Outbox, { ...base, mailer: own ?? defaultMailer(settings) });
  const oneTimeKeys = new OneTimeKeys(base);
  const clientNetworks = new ClientNetworks(logger);
  const eventCounters = new EventCounters(base);
  const mailLimiter = make(MailLimiter, eventCounters, settings, clientNetworks);
  const parts = { ...base, outbox, oneTimeKeys, clientNetworks, eventCounters, mailLimiter };
  const mails = new AccountMails({ ...parts, mailTemplates: new MailTemplates(settings) });
  return { ...parts, mails, deferredWork: new DeferredWork(parts) };
}

/** @throws SettingsError where links would be mailed in production, and there is no server that takes mails */
function defaultMailer(settings: Settings): Mailer {
  if (settings.smtpUrl) return new SmtpMailer(settings);
  if (settings.publicUrl === undefined || settings.development) return new ConsoleMailer();
  const nameOf = namesOf(settings);
  const message = `is needed in production where ${nameOf('publicUrl')} is set, unless the app passes a mailer`;
  throw new SettingsError([{ setting: nameOf('smtpUrl'), message }]);
}

function withAccounts(base: ReturnType<typeof withMails>, make: ServiceMaker) {
  const { settings, users, mails, deferredWork, events, eventCounters, clientNetworks, journal } = base;
  prepareStrengthEstimate();
  new TheftNotices(users, mails, deferredWork).listen(events);
  const guessing = {
    ...base,
    hasher: make(PasswordHasher),
    passwordRules: new PasswordRules(settings),
    loginLimiter: make(LoginLimiter, base),
    loginFailures: new LoginFailures(journal),
  };
  const parts = {
    ...guessing,
    passwordProof: new PasswordProof(guessing),
    addresses: new Addresses(base),
    signUps: new PendingSignUps(base),
    signUpBrowsers: new SignUpBrowsers(base),
    signUpLimiter: new SignUpLimiter(eventCounters, settings, clientNetworks),
  };
  const registration = make(RegistrationService, parts);
  const emailUndo = make(EmailUndoService, parts);
  return {
    ...parts,
    registration,
    emailUndo,
    login: make(LoginService, parts),
    logout: make(LogoutService, parts),
    passwordChange: make(PasswordChangeService, parts),
    passwordReset: make(PasswordResetService, parts),
    emailVerification: make(EmailVerificationService, { ...parts, registration, emailUndo }),
    emailChange: make(EmailChangeService, parts),
    invitation: make(InvitationService, parts),
    passwordSetter: make(PasswordSetter, parts),
    accountDeletion: make(AccountDeletionService, parts),
    profile: make(ProfileService, parts),
    deactivation: make(DeactivationService, parts),
    purge: make(PurgeService, parts),
  };
}
