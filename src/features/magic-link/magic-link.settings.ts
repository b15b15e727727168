import { Duration, Flag, Page } from '../../settings/setting-rules.js';

declare module '../../settings/settings.js' {
  interface ModuleSettings {
    magicLinkLifetime: number | string;
    magicLinkSignUp: boolean | string;
    magicLinkRedirect: string;
    magicLinkDoneRedirect: string;
  }
}

/** The longest lifetime. A mail must not stay a credential for days. */
const MAX_LIFETIME_SECONDS = 86_400;

/** The settings of the sign-in by mail. */
export class MagicLinkSettings {
  /** Lifetime of the link and the code, in seconds. */
  @Duration(1, MAX_LIFETIME_SECONDS)
  magicLinkLifetime: number = 600;

  /** Whether an address without an account gets one, without a password, when its link or code is used. */
  @Flag()
  magicLinkSignUp: boolean = false;

  /** The app's page that the link opens. It signs in with `POST /magic-link/sign-in`. Default: a built-in page. */
  @Page()
  magicLinkRedirect?: string = undefined;

  /** The app's page that the browser opens after the sign-in on the built-in page. Default: a built-in page. */
  @Page()
  magicLinkDoneRedirect?: string = undefined;
}
