import type { EntityManager } from '@mikro-orm/postgresql';
import type { SessionClient } from '../sessions/client-device.js';
import type { SessionReference } from '../sessions/session.service.js';
import type { CustomClaims } from '../tokens/claims.js';
import type { SessionContext } from '../tokens/session-context.js';
import type { PasswordOwner } from '../users/user.service.js';

/** A sign-in of the app's own: the app has checked who the user is. */
export interface AppSignIn {
  /** How the app has checked it, for `amr`: a name of the app's such as `ticket`, one of RFC 8176, or several. */
  readonly method: string | readonly string[];
  /** Who sends the request: its `ip`, its `User-Agent` header and its host. */
  readonly client?: SessionClient;
  /** Claims that stand in every token of the session until it ends. */
  readonly claims?: CustomClaims;
  /**
   * The transaction to open the session in; it must be READ COMMITTED. What this EntityManager manages is neither
   * refreshed nor flushed: flush first what the tokens must say.
   */
  readonly em?: EntityManager;
}

/** A user who has just proved who they are and asks for a session. */
export interface SignInAttempt {
  /**
   * The user, with the password hash that was proved. It is compared when the session is opened; undefined is not
   * compared: the user came in another way.
   */
  readonly user: PasswordOwner;
  /** How the user proved it (RFC 8176): `pwd`, `mail` … */
  readonly amr: readonly string[];
  /** When the user did, in seconds since the epoch. Default: now. */
  readonly authTime?: number;
  /** Who sends the request. */
  readonly client?: SessionClient;
  /** Claims to bind to the session. */
  readonly claims?: CustomClaims;
  /** The live session that the new one takes the place of, at a password change. */
  readonly caller?: SessionReference & SessionContext;
  /**
   * The transaction in which the session is opened. One of the library commits also where a gate answers a challenge;
   * one of the app does what the app decides.
   */
  readonly em?: EntityManager;
}
