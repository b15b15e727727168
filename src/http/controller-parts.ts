import type { Settings } from '../settings/settings.js';
import type { Before } from './http-message.js';
import type { LinkPages } from './pages/link-pages.js';
import type { RefreshTokenTransport } from './refresh-token-transport.js';

/** What controllers are made from, beside their services. */
export interface ControllerParts {
  /** Path below which they answer. */
  readonly prefix: string;
  readonly settings: Settings;
  readonly transport: RefreshTokenTransport;
  readonly pages: LinkPages;
  /** Refuses requests from foreign origins where a cookie is a credential or becomes one. */
  readonly originGuard: Before;
}
