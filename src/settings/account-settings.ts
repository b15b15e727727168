import { Transform } from 'class-transformer';
import { isListOfLimits, parseRateLimits, type RateLimit } from './rate-limit.js';
import { SessionSettings } from './session-settings.js';
import { Duration, Flag, matches, must, optional, Page, parseNumbers, Text } from './setting-rules.js';

/** Whether an address has to be confirmed, and when. */
export type EmailVerificationMode = 'none' | 'optional' | 'mandatory';

/** The settings of accounts by mail: a part of `Settings`. */
export abstract class AccountSettings extends SessionSettings {
  /**
   * `mandatory`: no session before the address is confirmed; `optional`: usable at once, `EmailVerified` gates
   * features; `none`: an address counts as confirmed from sign-up, and no mail is sent for it.
   */
  @must('must be none, optional or mandatory', (value) => matches(value, /^(none|optional|mandatory)$/))
  @must(
    'needs {publicUrl}, of which links in mails are built',
    (value, settings: AccountSettings) => value === 'none' || settings.publicUrl !== undefined,
  )
  readonly emailVerification: EmailVerificationMode = 'none';

  /** Seconds for which the link of a confirmation is good. */
  @Duration(1)
  readonly emailConfirmationLifetime: number = 3 * 86_400;

  /** Seconds for which the link of a password reset is good. */
  @Duration(1)
  readonly passwordResetLifetime: number = 3600;

  /** Seconds for which an invitation is good. */
  @Duration(1)
  readonly invitationLifetime: number = 7 * 86_400;

  /** Where a browser goes once an address is confirmed. Default: a built-in page. */
  @Page()
  readonly emailVerifiedRedirect?: string = undefined;

  /** The app's page that asks for a new password after a reset. Default: a built-in form. */
  @Page()
  readonly passwordResetRedirect?: string = undefined;

  /** The app's page that asks an invited person for a password. Default: a built-in form. */
  @Page()
  readonly passwordSetRedirect?: string = undefined;

  /** The app's page where a reset is asked for, to which mails and failure pages lead. Default: they lead nowhere. */
  @Page()
  readonly passwordResetRequestUrl?: string = undefined;

  /** True: the first opening of the link in a confirmation also signs in, by a cookie. */
  @Flag()
  @must(
    'needs the refresh token in a cookie ({refreshTokenAsCookie}): a link can bring no other',
    (value, settings: AccountSettings) => value !== true || settings.refreshTokenAsCookie,
  )
  readonly sessionOnEmailVerification: boolean = false;

  /**
   * Under `mandatory`, whether sign-up answers alike for an address that is taken, whose owner gets a notice instead.
   * False: it answers 409.
   */
  @Flag()
  readonly preventEnumeration: boolean = true;

  /** Whether users can be invited. */
  @Flag()
  @must(
    'needs {publicUrl}, of which links in mails are built',
    (value, settings: AccountSettings) => value !== true || settings.publicUrl !== undefined,
  )
  readonly invitations: boolean = false;

  /** Whether invitations are the only way in: there is no sign-up. */
  @Flag()
  @must(
    'needs {invitations}: nobody could come in',
    (value, { invitations }: AccountSettings) => value !== true || invitations,
  )
  readonly adminManagedRegistration: boolean = false;

  /** Roles that may invite. */
  @Transform(({ value }) => parseNumbers(value))
  @must(
    'must be roles such as 1000,900',
    (value) => Array.isArray(value) && value.length > 0 && value.every(Number.isSafeInteger),
  )
  readonly registrationAllowedRoles: readonly number[] = [1000, 900];

  /** Where browsers reach the app, without the path of the auth controllers; links in mails are built from it alone. */
  @Page()
  @must(
    'must be https in production: its links carry keys',
    (value, { development }: AccountSettings) => development || !matches(value, /^http:/),
  )
  @must(
    'must end with its path: links are built by adding to it, so that a query or a fragment would break them',
    (value) => !matches(value, /[?#]/),
  )
  readonly publicUrl?: string = undefined;

  /** The server that takes mails, as `smtp://` or `smtps://` with user and password in it. Default: none. */
  @must(
    'must be a URL such as smtps://user:password@mail.example.com',
    optional((value) => matches(value, /^smtps?:\/\/[^\s]+$/) && URL.canParse(String(value))),
  )
  readonly smtpUrl?: string = undefined;

  /** From whom mails are: an address, or a name with one in angle brackets. */
  @must(
    'must be an address such as Example <no-reply@example.com>',
    optional((value) => matches(value, /^([^<>\r\n]+<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/)),
  )
  @must(
    'is needed beside {smtpUrl}',
    (value, { smtpUrl }: AccountSettings) => value !== undefined || smtpUrl === undefined,
  )
  readonly emailFrom?: string = undefined;

  /** How many sign-ups a client's address may make; an empty list: any number. */
  @Transform(({ value }) => parseRateLimits(value))
  @must(
    'must be off or limits such as 20/1h/ip',
    (value) => isListOfLimits(value) && value.every(({ scope }) => scope === 'ip'),
  )
  readonly registrationRateLimit: readonly RateLimit[] = [{ count: 20, seconds: 3600, scope: 'ip' }];

  /**
   * How many mails a mailbox (`account`) may be sent, and a client's address may ask for; an empty list: any number.
   */
  @Transform(({ value }) => parseRateLimits(value))
  @must('must be off or limits such as 5/1h/account,50/1h/ip', isListOfLimits)
  readonly mailRateLimit: readonly RateLimit[] = [
    { count: 5, seconds: 3600, scope: 'account' },
    { count: 50, seconds: 3600, scope: 'ip' },
  ];

  /** A folder with the app's own templates of mails and pages, each in place of ours of the same name. */
  @Text()
  readonly templatesDir?: string = undefined;
}
