import type { AuthEvent } from '../../observability/auth-events.js';

/** A wrong code of a mail was entered. */
export interface MagicLinkFailed extends AuthEvent {
  /** Key of the user with the address, as a string; undefined if no user has it. */
  readonly user?: string;
  /** Express's `req.ip` without port and zone id; undefined if it is not known. */
  readonly ip?: string;
}

declare module '../../observability/auth-events.js' {
  interface AuthEventMap {
    'magic-link.failed': MagicLinkFailed;
  }
}
