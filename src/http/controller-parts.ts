import type { Clock } from '../clock.js';
import type { RequestProofs } from '../dpop/request-proofs.js';
import type { Logger } from '../observability/logger.js';
import { WarningLimit } from '../observability/warning-limit.js';
import type { LogoutService } from '../sessions/logout.service.js';
import type { Settings } from '../settings/settings.js';
import type { SecondFactors } from '../sign-in/second-factors.js';
import { createCsrfGuard } from './csrf.js';
import type { Before } from './http-message.js';
import { OneTimeCookie } from './one-time-cookie.js';
import { LinkPages } from './pages/link-pages.js';
import { PageTemplates } from './pages/page-templates.js';
import { RefreshCookie } from './refresh-cookie.js';
import { RefreshTokenTransport } from './refresh-token-transport.js';

/** What controllers need in addition to their services. */
export interface ControllerParts {
  /** The path below which the controllers are mounted. */
  readonly prefix: string;
  readonly settings: Settings;
  readonly transport: RefreshTokenTransport;
  readonly pages: LinkPages;
  readonly secondFactors: SecondFactors;
  /** Refuses requests from foreign origins if their credential is a cookie, or if the answer sets a cookie. */
  readonly originGuard: Before;
  /** Refuses requests from foreign origins, also if the refresh token travels in bodies. */
  readonly strictOriginGuard: Before;
  /** For the routes of mailed links. Undefined without PUBLIC_URL, from which links are built. */
  readonly links?: LinkParts;
}

/** What the controllers of mailed links need. Their guard refuses foreign origins in body mode too. */
export interface LinkParts extends ControllerParts {
  /** The URL of a path below the prefix, as a browser sees it. */
  url(path: string): string;
  /** The cookie that stores the key of a link. */
  cookie(name: string): OneTimeCookie;
}

/**
 * Creates the parts of one app.
 *
 * @param modulePages the bodies of the pages of modules, by name
 * @throws SettingsError for page templates that cannot be used
 */
export function createControllerParts(
  kernel: {
    readonly prefix: string;
    readonly settings: Settings;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly logout: LogoutService;
    readonly secondFactors: SecondFactors;
    readonly requestProofs: RequestProofs;
  },
  modulePages: Readonly<Record<string, string>>,
): ControllerParts {
  const { prefix, settings, logger, secondFactors } = kernel;
  const warnings = new WarningLimit(kernel.clock);
  const parts = {
    prefix,
    settings,
    transport: new RefreshTokenTransport(kernel, new RefreshCookie(settings)),
    pages: new LinkPages(new PageTemplates(settings, modulePages), settings),
    secondFactors,
    originGuard: createCsrfGuard(settings, logger, warnings),
    strictOriginGuard: createCsrfGuard(settings, logger, warnings, { isAlwaysCookie: true }),
  };
  if (settings.publicUrl === undefined) return parts;
  const base = new URL(`${settings.publicUrl.replace(/\/$/, '')}${prefix}`);
  const links: LinkParts = {
    ...parts,
    originGuard: parts.strictOriginGuard,
    url: (path) => base.href + path,
    cookie: (name) => new OneTimeCookie(name, base.pathname, settings),
  };
  return { ...parts, links };
}
