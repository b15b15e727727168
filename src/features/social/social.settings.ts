import { Transform } from 'class-transformer';
import { isListOfLimits, parseRateLimits, type RateLimit } from '../../settings/rate-limit.js';
import { must, parseJson, parseList } from '../../settings/setting-rules.js';
import { type ConfiguredProvider, providersFault } from './configured-provider.js';
import { isReturnUrlRule } from './return-urls.js';

declare module '../../settings/settings.js' {
  interface ModuleSettings {
    socialProviders: readonly ConfiguredProvider[] | string;
    socialReturnUrls: readonly string[] | string;
    socialRateLimit: readonly RateLimit[] | string;
  }
}

/** The settings of sign-in with providers. */
export class SocialSettings {
  /** OpenID providers, in addition to those in code. */
  @Transform(({ value }) => parseJson(value))
  @must(
    (value) => `must be a JSON list of providers: ${providersFault(value)}`,
    (value) => providersFault(value) === undefined,
  )
  socialProviders: readonly ConfiguredProvider[] = [];

  /**
   * Where a sign-in may return to: origins with an optional path. A `returnTo` must be one of them, or below one.
   * Default: every path of PUBLIC_URL's origin.
   */
  @Transform(({ value }) => parseList(value))
  @must(
    'must be URLs such as https://app.example.com/welcome, without query and fragment, separated by commas',
    (value) => Array.isArray(value) && value.every(isReturnUrlRule),
  )
  socialReturnUrls: readonly string[] = [];

  /** Limits of requests that begin or complete a sign-in, for each client address. An empty list: no limit. */
  @Transform(({ value }) => parseRateLimits(value))
  @must(
    'must be off or limits such as 300/15m/ip',
    (value) => isListOfLimits(value) && value.every(({ scope }) => scope === 'ip'),
  )
  socialRateLimit: readonly RateLimit[] = [{ count: 300, seconds: 900, scope: 'ip' }];
}
