import { Transform } from 'class-transformer';
import { isListOfLimits, parseRateLimits, type RateLimit } from '../../settings/rate-limit.js';
import { isOrigin, matches, must, optional, parseList, Text } from '../../settings/setting-rules.js';
import { isRpId } from './rp-id.js';

declare module '../../settings/settings.js' {
  interface ModuleSettings {
    passkeyRpId: string;
    passkeyRpName: string;
    passkeyOrigins: readonly string[] | string;
    passkeyRateLimit: readonly RateLimit[] | string;
  }
}

/** The origin of a native Android app, with the SHA-256 of its signing certificate. */
const ANDROID_ORIGIN = /^android:apk-key-hash:[\w-]{43}$/;

/** The settings of passkeys. */
export class PasskeysSettings {
  /**
   * The domain for which passkeys are made (RP ID), such as `example.com`. They work there and on its subdomains. With
   * another domain, existing passkeys do not work any more. Default: the host of PUBLIC_URL.
   */
  @must('must be a domain such as example.com, in lower case, and no IP address', optional(isRpId))
  passkeyRpId?: string = undefined;

  /** The name of the app in the dialogs of browsers. Default: the host of PUBLIC_URL, else `jwt-allauth`. */
  @Text()
  passkeyRpName?: string = undefined;

  /**
   * The origins whose pages and apps may use passkeys. Default: the origin of PUBLIC_URL and TRUSTED_ORIGINS, without
   * those that are neither the domain nor a subdomain of it.
   */
  @Transform(({ value }) => parseList(value))
  @must(
    'must be origins such as https://app.example.com or android:apk-key-hash:…, separated by commas',
    (value) => Array.isArray(value) && value.every((origin) => isOrigin(origin) || matches(origin, ANDROID_ORIGIN)),
  )
  passkeyOrigins: readonly string[] = [];

  /**
   * Limits of requests without a session, and of re-authentications, for each client address. An empty list: no limit.
   */
  @Transform(({ value }) => parseRateLimits(value))
  @must(
    'must be off or limits such as 300/15m/ip',
    (value) => isListOfLimits(value) && value.every(({ scope }) => scope === 'ip'),
  )
  passkeyRateLimit: readonly RateLimit[] = [{ count: 300, seconds: 900, scope: 'ip' }];
}
