import { Transform } from 'class-transformer';
import { isListOfLimits, parseRateLimits, type RateLimit } from './rate-limit.js';
import { SessionSettings } from './session-settings.js';
import { Duration, Flag, matches, must, optional, Page, parseNumbers, Text } from './setting-rules.js';

/** When users must confirm their e-mail address: never, for routes that require it, or before the first session. */
export type EmailVerificationMode = 'none' | 'optional' | 'mandatory';

/** The settings of registration, confirmation, password reset, invitations and mail. Part of `Settings`. */
export abstract class AccountSettings extends SessionSettings {
  /**
   * `mandatory`: no session until the address is confirmed. `optional`: users can sign in at once, and routes can
   * require a confirmed address with `EmailVerified`. `none`: an address counts as confirmed from sign-up on, and
   * sign-up sends no mail.
   */
  @must('must be none, optional or mandatory', (value) => matches(value, /^(none|optional|mandatory)$/))
  @must(
    'needs {publicUrl}: links in mails begin with it',
    (value, settings: AccountSettings) => value === 'none' || settings.publicUrl !== undefined,
  )
  readonly emailVerification: EmailVerificationMode = 'none';

  /** Lifetime of a confirmation link, in seconds. */
  @Duration(1)
  readonly emailConfirmationLifetime: number = 3 * 86_400;

  /** Lifetime of a password reset link, in seconds. */
  @Duration(1)
  readonly passwordResetLifetime: number = 3600;

  /** Lifetime of an invitation, in seconds. */
  @Duration(1)
  readonly invitationLifetime: number = 7 * 86_400;

  /** The app's page that the browser opens after a confirmation. Default: a built-in page. */
  @Page()
  readonly emailVerifiedRedirect?: string = undefined;

  /** The app's page with the form for the new password, which a reset link opens. Default: a built-in form. */
  @Page()
  readonly passwordResetRedirect?: string = undefined;

  /** The app's page with the form for the first password, which an invitation opens. Default: a built-in form. */
  @Page()
  readonly passwordSetRedirect?: string = undefined;

  /** The app's page where users request a password reset. Mails and failure pages link to it. Default: no link. */
  @Page()
  readonly passwordResetRequestUrl?: string = undefined;

  /**
   * True: opening the confirmation link in the browser that signed up also signs the user in. The refresh token travels
   * in a cookie.
   */
  @Flag()
  @must(
    'needs the refresh token in a cookie ({refreshTokenAsCookie}): a link can only set a cookie',
    (value, settings: AccountSettings) => value !== true || settings.refreshTokenAsCookie,
  )
  readonly sessionOnEmailVerification: boolean = false;

  /**
   * Under `mandatory`: whether sign-up gives the same answer for a new address and for one that is already registered.
   * The owner of a registered address gets a notice by mail. False: sign-up answers 409.
   */
  @Flag()
  readonly preventEnumeration: boolean = true;

  /** Whether users can be invited. */
  @Flag()
  @must(
    'needs {publicUrl}: links in mails begin with it',
    (value, settings: AccountSettings) => value !== true || settings.publicUrl !== undefined,
  )
  readonly invitations: boolean = false;

  /** True: accounts are created by invitation only, and sign-up is off. */
  @Flag()
  @must(
    'needs {invitations}: without invitations no account could be created',
    (value, { invitations }: AccountSettings) => value !== true || invitations,
  )
  readonly adminManagedRegistration: boolean = false;

  /** Roles that may invite users. */
  @Transform(({ value }) => parseNumbers(value))
  @must(
    'must be roles such as 1000,900',
    (value) => Array.isArray(value) && value.length > 0 && value.every(Number.isSafeInteger),
  )
  readonly registrationAllowedRoles: readonly number[] = [1000, 900];

  /** The app's URL as browsers see it, without the path of the auth controllers. Links in mails begin with it. */
  @Page()
  @must(
    'must be https in production: the links contain secret keys',
    (value, { development }: AccountSettings) => development || !matches(value, /^http:/),
  )
  @must('must have no query and no fragment: the library appends paths to it', (value) => !matches(value, /[?#]/))
  readonly publicUrl?: string = undefined;

  /** The SMTP server, as an `smtp://` or `smtps://` URL, which can contain user and password. Default: no server. */
  @must(
    'must be a URL such as smtps://user:password@mail.example.com',
    optional((value) => matches(value, /^smtps?:\/\/[^\s]+$/) && URL.canParse(String(value))),
  )
  readonly smtpUrl?: string = undefined;

  /** The sender of mails: an address, or a name followed by an address in angle brackets. */
  @must(
    'must be an address such as Example <no-reply@example.com>',
    optional((value) => matches(value, /^([^<>\r\n]+<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/)),
  )
  @must(
    'is required with {smtpUrl}',
    (value, { smtpUrl }: AccountSettings) => value !== undefined || smtpUrl === undefined,
  )
  readonly emailFrom?: string = undefined;

  /** Limits of sign-ups for each client address. An empty list: no limit. */
  @Transform(({ value }) => parseRateLimits(value))
  @must(
    'must be off or limits such as 20/1h/ip',
    (value) => isListOfLimits(value) && value.every(({ scope }) => scope === 'ip'),
  )
  readonly registrationRateLimit: readonly RateLimit[] = [{ count: 20, seconds: 3600, scope: 'ip' }];

  /**
   * Limits of mails for each mailbox (`account`), for each client address (`ip`), or for both together (`account+ip`).
   * An empty list: no limit.
   */
  @Transform(({ value }) => parseRateLimits(value))
  @must('must be off or limits such as 5/1h/account,50/1h/ip', isListOfLimits)
  readonly mailRateLimit: readonly RateLimit[] = [
    { count: 5, seconds: 3600, scope: 'account' },
    { count: 50, seconds: 3600, scope: 'ip' },
  ];

  /** A folder with the app's own templates of mails and pages. Each replaces the built-in one of the same name. */
  @Text()
  readonly templatesDir?: string = undefined;
}
