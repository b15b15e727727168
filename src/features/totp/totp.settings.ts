import { Transform } from 'class-transformer';
import { isListOfLimits, parseRateLimits, type RateLimit } from '../../settings/rate-limit.js';
import { matches, must, optional, Text } from '../../settings/setting-rules.js';

/** Whether users may have a second factor, or must have one. */
export type MfaMode = 'optional' | 'required';

declare module '../../settings/settings.js' {
  interface ModuleSettings {
    mfaMode: MfaMode;
    mfaRateLimit: readonly RateLimit[] | string;
    totpIssuer: string;
  }
}

/** The settings of second factors. */
export class TotpSettings {
  /**
   * `optional`: users choose whether they set up a second factor. `required`: every user must have one. A user without
   * one sets it up at the next sign-in.
   */
  @must('must be optional or required', (value) => matches(value, /^(optional|required)$/))
  mfaMode: MfaMode = 'optional';

  /**
   * Limits of wrong answers for each user, over all challenges and second factors. They cannot be switched off: without
   * a limit, a thief of the password could try all codes.
   */
  @Transform(({ value }) => parseRateLimits(value))
  @must(
    'must be limits such as 10/15m/account',
    (value) => isListOfLimits(value) && value.length > 0 && value.every(({ scope }) => scope === 'account'),
  )
  mfaRateLimit: readonly RateLimit[] = [{ count: 10, seconds: 900, scope: 'account' }];

  /** The name of the app in authenticator apps. Default: the host of PUBLIC_URL, else `jwt-allauth`. */
  @Text()
  @must(
    'must have no colon, which separates the issuer from the account',
    optional((value) => !matches(value, /:/)),
  )
  totpIssuer?: string = undefined;
}
