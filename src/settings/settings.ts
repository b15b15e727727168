import { inspect } from 'node:util';
import { plainToInstance, Transform } from 'class-transformer';
import { type ValidationError, validateSync } from 'class-validator';
import { closestMatch } from 'leven';
import { AccountSettings } from './account-settings.js';
import { ALGORITHMS, type Algorithm, isAlgorithm } from './algorithm.js';
import { resolveKeys } from './key-rules.js';
import { isListOfLimits, parseRateLimits, type RateLimit } from './rate-limit.js';
import { type NameOf, namesOf, rememberNames, withNames } from './setting-names.js';
import {
  Count,
  Duration,
  Flag,
  isAttributeMap,
  isCookieDomain,
  isCookiePath,
  isOrigin,
  matches,
  must,
  optional,
  parseJson,
  parseList,
  Text,
} from './setting-rules.js';
import { type SettingFault, SettingsError } from './settings-error.js';

/** How the session of an access token is looked at before the token is believed. */
export type SessionCheckMode = 'none' | 'revocation-list' | 'database';

/** What is done while the revocation list cannot be kept up. */
export type RevocationListFallback = 'database' | 'fail-closed' | 'fail-open';

/**
 * Everything that an operator can choose, typed and with its defaults. The README's table has a row for each. Durations
 * are whole seconds here; a string such as `15m` is understood wherever settings are given.
 */
export class Settings extends AccountSettings {
  /**
   * True on a developer's machine and in tests. It allows cookies that a network attacker could read; anything else
   * counts as production.
   */
  @Flag()
  readonly development: boolean = false;

  /** The app's RefreshToken subclass, or `module#Export` resolved from the working directory. */
  @must(
    tokenClassFault,
    optional((value) => typeof value === 'function' || matches(value, /^.+#[A-Za-z_$][\w$]*$/)),
  )
  readonly refreshToken?: string | (new (...args: never[]) => object) = undefined;

  /** True: the refresh token travels in a cookie. False: in JSON bodies. */
  @Flag()
  readonly refreshTokenAsCookie: boolean = true;

  /** Default: `__Host-refresh_token` where its rules hold (Secure, Path=/, no Domain), else `refresh_token`. */
  @must(
    'must be a cookie name',
    optional((value) => matches(value, /^[\w!#$%&'*+.^`|~-]+$/)),
  )
  @must(
    'starts with __Host- or __Secure-, which needs Secure (and for __Host- the path / and no domain)',
    optional((name, settings: Settings) => isPrefixAllowed(String(name), settings)),
  )
  readonly refreshTokenCookieName?: string = undefined;

  @Flag()
  @must(
    'must not be false in production: scripts could read the token',
    (value, { development }: Settings) => value !== false || development,
  )
  readonly refreshTokenCookieHttpOnly: boolean = true;

  /** Default: true, but false where `development` is true. */
  @Flag()
  @must(
    'must not be false in production: the token would travel in clear',
    (value, { development }: Settings) => value !== false || development,
  )
  readonly refreshTokenCookieSecure?: boolean = undefined;

  @Transform(({ value }) => (typeof value === 'string' ? value.toLowerCase() : value))
  @must('must be lax, strict or none', (value) => matches(value, /^(lax|strict|none)$/))
  @must(
    'cannot be none for a cookie that is not Secure',
    (value, settings: Settings) => value !== 'none' || isCookieSecure(settings),
  )
  readonly refreshTokenCookieSameSite: 'lax' | 'strict' | 'none' = 'lax';

  /** Upper limit in seconds; the cookie never outlives the token. */
  @Duration(1)
  readonly refreshTokenCookieMaxAge?: number = undefined;

  @must('must be a path that starts with /', isCookiePath)
  readonly refreshTokenCookiePath: string = '/';

  @must('must be a domain', optional(isCookieDomain))
  readonly refreshTokenCookieDomain?: string = undefined;

  /** True: browsers keep the cookie apart for each site that embeds the app (CHIPS). */
  @Flag()
  @must(
    'needs a Secure cookie with SameSite none: no other is sent where the app is embedded',
    (value, settings: Settings) =>
      value !== true || (isCookieSecure(settings) && settings.refreshTokenCookieSameSite === 'none'),
  )
  readonly refreshTokenCookiePartitioned: boolean = false;

  /** Domains that the cookie had before. Its copies there are expired, and read unless ours is a `__Host-` cookie. */
  @Transform(({ value }) => parseList(value))
  @must('must be domains, separated by commas', (value) => Array.isArray(value) && value.every(isCookieDomain))
  readonly olderCookieDomains: readonly string[] = [];

  /** Paths that the cookie had before. Its copies there are expired, and read unless ours is a `__Host-` cookie. */
  @Transform(({ value }) => parseList(value))
  @must(
    'must be paths that start with /, separated by commas',
    (value) => Array.isArray(value) && value.every(isCookiePath),
  )
  readonly olderCookiePaths: readonly string[] = [];

  @must(`must be one of ${ALGORITHMS.join(', ')}`, isAlgorithm)
  readonly algorithm: Algorithm = 'HS256';

  /** The secret of HMAC signatures; empty for an algorithm with key pairs. */
  @must('must be a text', (value) => typeof value === 'string')
  readonly secretKey: string = '';

  /** The private key of RSA and EC signatures, in PEM; line ends may be written as `\n`. */
  @Text()
  readonly privateKey?: string = undefined;

  /** A file with `privateKey`, which takes its place once the settings are resolved. */
  @Text()
  readonly privateKeyFile?: string = undefined;

  /** Keys that verify beside the one that signs: public keys in PEM, and lines of `secret:` and an older secret. */
  @Text()
  readonly verifyingKeys?: string = undefined;

  /** A file with `verifyingKeys`, which takes its place once the settings are resolved. */
  @Text()
  readonly verifyingKeysFile?: string = undefined;

  /** `iss` of every token; checked when set. */
  @Text()
  readonly issuer?: string = undefined;

  /** `aud` of every token; checked when set. */
  @Text()
  readonly audience?: string = undefined;

  /** Seconds that an access token is believed. */
  @Duration(1)
  readonly accessTokenLifetime: number = 30 * 60;

  /** Seconds after which an unused session ends. */
  @Duration(1)
  readonly refreshTokenLifetime: number = 14 * 86_400;

  /** Seconds after which every session ends, used or not. */
  @Duration(1)
  readonly sessionLifetime?: number = undefined;

  /** Seconds after a rotation in which the parent still gets the same successor; 0: never. */
  @Duration(0, 120)
  readonly refreshReuseGrace: number = 10;

  /** Claim name to dotted path on the user. */
  @Transform(({ value }) => parseJson(value))
  @must('must be a JSON object of claim names and dotted paths', isAttributeMap)
  readonly userAttributes: Readonly<Record<string, string>> = {};

  /** Whether a new password ends every older session. */
  @Flag()
  readonly logoutOnPasswordChange: boolean = true;

  /** Whether changing the password asks for the old one. */
  @Flag()
  readonly oldPasswordFieldEnabled: boolean = true;

  /** Whether the client's address, browser, system and device are kept with a session. */
  @Flag()
  readonly collectUserAgent: boolean = false;

  /** Live sessions that a user may have; the least recently used one goes. Default: any number. */
  @Count(1)
  readonly maxSessionsPerUser?: number = undefined;

  /**
   * How soon an ended session's access tokens are refused: `none`: when they expire; `revocation-list`: within about a
   * second, without a query; `database`: at once, by a query. `@SessionCheck` chooses another for a route.
   */
  @must('must be none, revocation-list or database', (value) => matches(value, /^(none|revocation-list|database)$/))
  readonly accessTokenSessionCheck: SessionCheckMode = 'none';

  /** What is done where the revocation list cannot be kept up: ask the database, refuse (503), or believe. */
  @must('must be database, fail-closed or fail-open', (value) => matches(value, /^(database|fail-closed|fail-open)$/))
  readonly revocationListFallback: RevocationListFallback = 'database';

  /** Whether events are also written to the table `auth_audit_event`, in the transaction of what they tell of. */
  @Flag()
  readonly auditLog: boolean = false;

  /** Origins beside the own one from which browsers may send the refresh cookie. */
  @Transform(({ value }) => parseList(value))
  @must(
    'must be origins such as https://app.example.com, separated by commas',
    (value) => Array.isArray(value) && value.every(isOrigin),
  )
  readonly trustedOrigins: readonly string[] = [];

  /** How many failed logins are let through; an empty list: any number. */
  @Transform(({ value }) => parseRateLimits(value))
  @must('must be off or limits such as 10/15m/account+ip,100/15m/ip,100/1h/account', isListOfLimits)
  readonly loginRateLimit: readonly RateLimit[] = [
    { count: 10, seconds: 900, scope: 'account+ip' },
    { count: 100, seconds: 900, scope: 'ip' },
    { count: 100, seconds: 3600, scope: 'account' },
  ];

  /** Without the keys, whoever prints it. */
  [inspect.custom](): object {
    return this.toJSON();
  }

  /** Without the keys. */
  toJSON(): object {
    const hide = (key: string | undefined) => key && '[redacted]';
    const { secretKey, privateKey, verifyingKeys, smtpUrl } = this;
    const hidden = { secretKey: hide(secretKey), privateKey: hide(privateKey), verifyingKeys: hide(verifyingKeys) };
    return { ...this, ...hidden, smtpUrl: hide(smtpUrl) };
  }
}

/**
 * What an app may give: any subset, and what is no text also as the text that a variable would have. Everything left
 * out, or undefined, has its default.
 */
export type SettingsInput = {
  readonly [K in keyof Settings as Settings[K] extends (...args: never[]) => unknown ? never : K]?:
    | Settings[K]
    | (NonNullable<Settings[K]> extends string ? never : string);
};

/** Says what was received where that is a path, which is no secret: in a `.env` file `#` begins a comment. */
function tokenClassFault(value: unknown): string {
  const received = matches(value, /^[\w.:@/\\-]+$/)
    ? `, and is ${JSON.stringify(value)}; in a .env file # needs quotes`
    : '';
  return `must be a class or module#Export${received}`;
}

/** Whether the cookie is sent over TLS only. */
export function isCookieSecure({ refreshTokenCookieSecure, development }: Settings): boolean {
  return refreshTokenCookieSecure ?? !development;
}

/** Whether a cookie of these settings may bear the `__Host-` prefix (RFC 6265bis §4.1.3.2). */
function isHostCookie(settings: Settings): boolean {
  return isCookieSecure(settings) && settings.refreshTokenCookiePath === '/' && !settings.refreshTokenCookieDomain;
}

function isPrefixAllowed(name: string, settings: Settings): boolean {
  if (name.toLowerCase().startsWith('__host-')) return isHostCookie(settings);
  return !name.toLowerCase().startsWith('__secure-') || isCookieSecure(settings);
}

/**
 * The settings with their defaults, checked.
 *
 * @param nameOf gives the name under which a fault is reported; default: the one it was given under before, else the
 *   property
 * @throws SettingsError with every fault
 */
export function resolveSettings(input: SettingsInput | Settings, nameOf: NameOf = namesOf(input)): Settings {
  const keys = resolveKeys({ ...input });
  const settings = plainToInstance(Settings, keys.settings, { exposeDefaultValues: true, exposeUnsetFields: false });
  const errors = validateSync(settings, {
    whitelist: true,
    forbidNonWhitelisted: true,
    validationError: { value: false },
  });
  const keyFaults = keys.faults.map(({ setting, message }) => named(setting, message, nameOf));
  const faults = [...errors.map((error) => toFault(error, nameOf)), ...keyFaults];
  if (faults.length > 0) throw new SettingsError(faults);
  rememberNames(settings, nameOf);
  return settings;
}

function toFault({ property, constraints = {} }: ValidationError, nameOf: NameOf): SettingFault {
  const known = Object.keys(new Settings());
  const message = known.includes(property)
    ? Object.values(constraints).join('; ')
    : `is not a setting; the nearest name is ${nameOf(closestMatch(property, known) ?? '')}`;
  return named(property, message, nameOf);
}

/** A fault that names every setting as it was typed. */
function named(property: string, message: string, nameOf: NameOf): SettingFault {
  return { setting: nameOf(property), message: withNames(message, nameOf) };
}
