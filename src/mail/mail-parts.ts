import type { EventCounters } from '../limits/event-counters.js';
import type { KernelOf, ServiceMaker } from '../service-maker.js';
import type { ClientNetworks } from '../sessions/client-networks.js';
import { namesOf } from '../settings/setting-names.js';
import type { Settings } from '../settings/settings.js';
import { SettingsError } from '../settings/settings-error.js';
import { AccountMails } from './account-mails.js';
import { BackgroundJobs } from './background-jobs.js';
import { ConsoleMailer } from './console-mailer.js';
import { EmailOwnership } from './email-ownership.js';
import { MailLimiter } from './mail-limiter.js';
import { MailTemplates } from './mail-templates.js';
import type { MailWords } from './mail-words.js';
import type { Mailer } from './mailer.js';
import { Outbox } from './outbox.js';
import { SmtpMailer } from './smtp-mailer.js';

/** The services of mails and background jobs, by name. */
export interface MailParts {
  readonly outbox: Outbox;
  readonly mailLimiter: MailLimiter;
  readonly mailTemplates: MailTemplates;
  readonly mails: AccountMails;
  readonly backgroundJobs: BackgroundJobs;
  /** Finds out which user an e-mail address belongs to. */
  readonly emailOwnership: EmailOwnership;
}

/** The services of the lower layers that mails need. */
type LowerParts = Omit<
  KernelOf<typeof Outbox> &
    KernelOf<typeof AccountMails> &
    KernelOf<typeof BackgroundJobs> &
    KernelOf<typeof EmailOwnership>,
  keyof MailParts | 'mailer'
> & {
  readonly eventCounters: EventCounters;
  readonly clientNetworks: ClientNetworks;
  readonly make: ServiceMaker;
};

/**
 * Makes the services of the mails of one app.
 *
 * @throws SettingsError in production, if PUBLIC_URL is set but neither SMTP_URL nor a mailer
 */
export function createMailParts(
  lower: LowerParts,
  { mailer, mailWords }: { readonly mailer?: Mailer; readonly mailWords: Readonly<Record<string, MailWords>> },
): MailParts {
  const { settings, eventCounters, clientNetworks, make } = lower;
  const outbox = make(Outbox, { ...lower, mailer: mailer ?? defaultMailer(settings) });
  const mailLimiter = make(MailLimiter, eventCounters, settings, clientNetworks);
  const mailTemplates = new MailTemplates(settings, mailWords);
  return {
    outbox,
    mailLimiter,
    mailTemplates,
    mails: new AccountMails({ ...lower, outbox, mailLimiter, mailTemplates }),
    backgroundJobs: new BackgroundJobs({ ...lower, outbox }),
    emailOwnership: new EmailOwnership(lower),
  };
}

/** @throws SettingsError in production, if PUBLIC_URL is set but neither SMTP_URL nor a mailer */
function defaultMailer(settings: Settings): Mailer {
  if (settings.smtpUrl) return new SmtpMailer(settings);
  if (settings.publicUrl === undefined || settings.development) return new ConsoleMailer();
  const nameOf = namesOf(settings);
  const message = `is required in production if ${nameOf('publicUrl')} is set, unless the app passes a mailer`;
  throw new SettingsError([{ setting: nameOf('smtpUrl'), message }]);
}
