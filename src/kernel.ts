import { inspect } from 'node:util';
import type { EntityMetadata } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { ContainerInstance } from 'typedi';
import type { Clock } from './clock.js';
import { Database } from './database/database.js';
import { PurgeService } from './database/purge.service.js';
import { entityMetadata, Table } from './database/table.js';
import { TableSweep } from './database/table-sweep.js';
import { isDatabaseUnavailable } from './database/unavailability.js';
import { AccountDeletionService } from './features/account/account-deletion.service.js';
import { DeactivationService } from './features/account/deactivation.service.js';
import { ProfileService } from './features/account/profile.service.js';
import { TheftNotices } from './features/devices/theft-notices.js';
import { EmailChangeService } from './features/email/email-change.service.js';
import { EmailUndoService } from './features/email/email-undo.service.js';
import { EmailVerificationService } from './features/email/email-verification.service.js';
import { InvitationService } from './features/invitations/invitation.service.js';
import { LoginService } from './features/password/login.service.js';
import { PasswordChangeService } from './features/password/password-change.service.js';
import { PasswordResetService } from './features/password-by-mail/password-reset.service.js';
import { PasswordSetter } from './features/password-by-mail/password-setter.service.js';
import { RegistrationService } from './features/registration/registration.service.js';
import { SignUpLimiter } from './features/registration/sign-up-limiter.js';
import { COUNTER_ENTITY } from './limits/counter.entity.js';
import { Counters } from './limits/counters.js';
import { EventCounters } from './limits/event-counters.js';
import { AccountMails } from './mail/account-mails.js';
import { Addresses } from './mail/addresses.js';
import { ConsoleMailer } from './mail/console-mailer.js';
import { DeferredWork } from './mail/deferred-work.js';
import { MailLimiter } from './mail/mail-limiter.service.js';
import { MailTemplates } from './mail/mail-templates.js';
import type { Mailer } from './mail/mailer.js';
import { Outbox } from './mail/outbox.service.js';
import { OUTBOX_MAIL_ENTITY } from './mail/outbox-mail.entity.js';
import { SmtpMailer } from './mail/smtp-mailer.js';
import { AuthEvents } from './observability/auth-events.js';
import { Journal } from './observability/journal.js';
import type { Logger } from './observability/logger.js';
import { Telemetry } from './observability/telemetry.js';
import { EncryptionKeys } from './secrets/encryption-keys.js';
import { type Class, type ServiceMaker, serviceMaker } from './service-maker.js';
import { ClientNetworks } from './sessions/client-networks.js';
import { KnownNetworks } from './sessions/known-networks.js';
import { LogoutService } from './sessions/logout.service.js';
import { Replays } from './sessions/replays.js';
import { ReuseReports } from './sessions/reuse-reports.js';
import { RevocationListener } from './sessions/revocation-listener.js';
import { RotationService } from './sessions/rotation.service.js';
import { RotationOrigins } from './sessions/rotation-origins.js';
import { SESSION_ENTITY } from './sessions/session.entity.js';
import { SessionService } from './sessions/session.service.js';
import { SessionChecker } from './sessions/session-checker.js';
import { SessionEndings } from './sessions/session-endings.js';
import { sweepOfRevocations, sweepOfSessions } from './sessions/session-purge.js';
import { SessionStore } from './sessions/session-store.js';
import { TokenChoice } from './sessions/token-choice.js';
import { readEncryptionKey } from './settings/encryption-key.js';
import { namesOf } from './settings/setting-names.js';
import type { Settings } from './settings/settings.js';
import { SettingsError } from './settings/settings-error.js';
import { LoginFailures } from './sign-in/login-failures.js';
import { LoginLimiter } from './sign-in/login-limiter.service.js';
import { PasswordProof } from './sign-in/password-proof.js';
import { KeyRing } from './tokens/key-ring.js';
import { ONE_TIME_KEY_ENTITY } from './tokens/one-time-key.entity.js';
import { OneTimeKeys } from './tokens/one-time-keys.service.js';
import { resolveTokenClass } from './tokens/resolve-token-class.js';
import { TokenFactory } from './tokens/token-factory.js';
import { relationsOf } from './tokens/user-attributes.js';
import { PasswordHasher } from './users/password-hasher.service.js';
import { PasswordRules } from './users/password-rules.js';
import { prepareStrengthEstimate } from './users/password-strength.js';
import { PENDING_SIGN_UP_ENTITY } from './users/pending-sign-up.entity.js';
import { PendingSignUps } from './users/pending-sign-ups.js';
import { SignUpBrowsers } from './users/sign-up-browsers.js';
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
    purge: make(PurgeService, { ...parts, sweeps: sweepsOf(base) }),
  };
}

/** What `purge` deletes, by what it is called there. */
function sweepsOf({ database, orm, settings }: Foundation): Readonly<Record<string, TableSweep>> {
  const table = (name: string) => Table.named(orm, name);
  const key = table(ONE_TIME_KEY_ENTITY);
  // By these it is known for good that nobody has ever used the account.
  const marksUnaccepted = `${key.column('purpose')} = 'invitation'`;
  return {
    sessions: sweepOfSessions(database, orm, settings),
    revocations: sweepOfRevocations(database, orm, settings),
    counters: new TableSweep(database, table(COUNTER_ENTITY), { since: 'resetsAt' }),
    oneTimeKeys: new TableSweep(database, key, { since: 'expiresAt', unless: marksUnaccepted }),
    mails: new TableSweep(database, table(OUTBOX_MAIL_ENTITY), { since: 'expiresAt' }),
    signUps: new TableSweep(database, table(PENDING_SIGN_UP_ENTITY), { since: 'expiresAt' }),
  };
}
