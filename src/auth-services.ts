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
export interface AuthServicesOptions {
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

/** Every service of one app. */
export type AuthServices = Awaited<ReturnType<typeof createAuthServices>>;

/** Makes the services of one app, each of them once. @throws SettingsError, TypeError */
export async function createAuthServices(options: AuthServicesOptions) {
  const make = serviceMaker(options.services, options.container);
  const foundation = await createFoundation(options, make);
  const sessions = createSessionServices(options, foundation, make);
  const mails = createMailServices(options, foundation, make);
  const accounts = createAccountServices(options, { ...foundation, ...sessions, ...mails }, make);
  make.assertAllUsed();
  return { ...foundation, ...sessions, ...mails, ...accounts };
}

type Foundation = Awaited<ReturnType<typeof createFoundation>>;
type SessionServices = ReturnType<typeof createSessionServices>;
type MailServices = ReturnType<typeof createMailServices>;

/** What everything else needs: the database, the users, the tokens, and the journal of what happens. */
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
  { database, keys, telemetry, journal, users, tokens }: Foundation,
  make: ServiceMaker,
) {
  const store = new SessionStore(database, users, orm);
  const endings = new SessionEndings(database, orm, users, settings, clock);
  const known = new KnownNetworks(database, orm, settings, clock, keys.deriveCounterKey('known networks'));
  const sessions = make(SessionService, database, store, endings, users, tokens, journal, settings, clock, known);
  const reports = new ReuseReports(journal, logger);
  const replays = new Replays(sessions, endings, users, journal, reports);
  const origins = new RotationOrigins(keys.deriveSecret('rotation origins'));
  const choice = new TokenChoice(database, store, users, tokens, settings, clock);
  const parts = [journal, telemetry, reports, replays, origins, choice] as const;
  const rotation = make(RotationService, database, store, sessions, users, tokens, settings, clock, ...parts);
  const listener = new RevocationListener(database, orm, settings, clock, telemetry, logger);
  const checker = new SessionChecker(listener, sessions, settings);
  return { sessions, rotation, listener, checker, known };
}

function createMailServices(
  { orm, settings, logger, clock, prefix, mailer }: AuthServicesOptions,
  { database, keys, users }: Foundation,
  make: ServiceMaker,
) {
  const secret = keys.deriveSecret('outbox');
  const older = keys.deriveOlderSecrets('outbox');
  const outbox = make(Outbox, database, orm, mailer ?? defaultMailer(settings), clock, secret, logger, older);
  const oneTimeKeys = new OneTimeKeys(database, orm, users, clock);
  const networks = new ClientNetworks(logger);
  const counters = new EventCounters(database, orm, clock, keys.deriveCounterKey('mail limits'));
  const mailLimiter = make(MailLimiter, counters, settings, networks);
  const templates = new MailTemplates(settings);
  const mails = new AccountMails(outbox, templates, oneTimeKeys, mailLimiter, settings, clock, prefix);
  const deferred = new DeferredWork(database, orm, outbox, clock, secret, older, logger);
  return { outbox, oneTimeKeys, mails, mailLimiter, deferred, networks, counters };
}

/** @throws SettingsError where links would be mailed in production, and there is no server that takes mails */
function defaultMailer(settings: Settings): Mailer {
  if (settings.smtpUrl) return new SmtpMailer(settings);
  if (settings.publicUrl === undefined || settings.development) return new ConsoleMailer();
  const nameOf = namesOf(settings);
  const message = `is needed in production where ${nameOf('publicUrl')} is set, unless the app passes a mailer`;
  throw new SettingsError([{ setting: nameOf('smtpUrl'), message }]);
}

function createAccountServices(
  { orm, settings, clock, logger }: AuthServicesOptions,
  services: Foundation & SessionServices & MailServices,
  make: ServiceMaker,
) {
  const { database, keys, telemetry, events, journal, users, tokens, sessions, known } = services;
  const { oneTimeKeys, mails, mailLimiter, deferred, networks, counters } = services;
  const hasher = make(PasswordHasher);
  const limits = keys.deriveCounterKey('login limits');
  const limiter = make(LoginLimiter, database, orm, settings, clock, limits, networks, known);
  const failures = new LoginFailures(journal);
  const proof = new PasswordProof(users, hasher, limiter, failures, sessions);
  const addresses = new Addresses(database, orm, users, clock);
  const signUps = new PendingSignUps(database, orm, settings, clock, keys.deriveSecret('sign-up salts'));
  const mailed = [mailLimiter, mails] as const;
  const told = [sessions, journal, settings] as const;
  const passwordRules = new PasswordRules(settings);
  prepareStrengthEstimate();
  new TheftNotices(users, mails, deferred).listen(events);
  const browsers = new SignUpBrowsers(
    keys.deriveSecret('sign-up browsers'),
    keys.deriveOlderSecrets('sign-up browsers'),
  );
  const registration = make(
    RegistrationService,
    database,
    users,
    hasher,
    addresses,
    signUps,
    browsers,
    ...mailed,
    ...told,
    telemetry,
    passwordRules,
    new SignUpLimiter(counters, settings, networks),
  );
  const emailUndo = make(EmailUndoService, database, users, oneTimeKeys, addresses, signUps, ...mailed, ...told);
  return {
    passwordRules,
    registration,
    login: make(LoginService, users, hasher, limiter, failures, sessions, signUps, settings, telemetry),
    logout: make(LogoutService, tokens, sessions),
    passwordChange: make(
      PasswordChangeService,
      database,
      users,
      hasher,
      proof,
      oneTimeKeys,
      mails,
      ...told,
      telemetry,
      passwordRules,
    ),
    passwordReset: make(PasswordResetService, users, oneTimeKeys, ...mailed, deferred),
    emailVerification: make(
      EmailVerificationService,
      database,
      users,
      oneTimeKeys,
      addresses,
      signUps,
      registration,
      browsers,
      ...mailed,
      deferred,
      ...told,
      emailUndo,
    ),
    emailUndo,
    emailChange: make(EmailChangeService, users, proof, addresses, ...mailed, deferred, sessions),
    invitation: make(InvitationService, database, users, addresses, ...mailed, ...told),
    passwordSetter: make(
      PasswordSetter,
      database,
      users,
      hasher,
      oneTimeKeys,
      ...mailed,
      sessions,
      journal,
      passwordRules,
    ),
    accountDeletion: make(AccountDeletionService, database, users, proof, mails, sessions, journal, logger),
    profile: make(ProfileService, database, users),
    deactivation: make(DeactivationService, database, users, sessions, oneTimeKeys, journal),
    purge: make(PurgeService, database, orm, settings, clock),
  };
}
