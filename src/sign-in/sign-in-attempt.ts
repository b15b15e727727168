import type { EntityManager } from '@mikro-orm/postgresql';
import type { SessionClient } from '../sessions/client-device.js';
import type { SessionReference } from '../sessions/session.service.js';
import type { CustomClaims } from '../tokens/claims.js';
import type { SessionContext } from '../tokens/session-context.js';
import type { PasswordOwner } from '../users/user.service.js';
import type { CompletionOrder } from './sign-in-completion.js';

/** A sign-in by the app's own method: the app has authenticated the user. */
export interface AppSignIn {
  /** The authentication methods, for `amr`: names of the app such as `ticket`, or names of RFC 8176. */
  readonly method: string | readonly string[];
  /** The client that sends the request. */
  readonly client?: SessionClient;
  /** Claims that are in every token of the session until it ends. */
  readonly claims?: CustomClaims;
  /**
   * The transaction in which the session is opened. It must be READ COMMITTED. The library neither flushes nor
   * refreshes the entities of this EntityManager: flush changes that must be in the tokens before you call it.
   */
  readonly em?: EntityManager;
}

/** A user who has just authenticated and asks for a session. */
export interface SignInAttempt {
  /**
   * The user. If the user has authenticated with the password, `passwordHash` is the hash that was checked, and must
   * not have changed when the session is opened. After another method it is undefined, and is not compared.
   */
  readonly user: PasswordOwner;
  /** The authentication methods (RFC 8176), such as `pwd` or `mail`. */
  readonly amr: readonly string[];
  /** When the user authenticated, in seconds since the epoch. Default: now. */
  readonly authTime?: number;
  /** The client that sends the request. */
  readonly client?: SessionClient;
  /** Claims to bind to the session. */
  readonly claims?: CustomClaims;
  /**
   * Work of a module that is done when the sign-in is admitted, not before the second factor. A challenge keeps it
   * until it is answered. Needs a transaction (`em`).
   */
  readonly completion?: CompletionOrder;
  /** The live session that the new session replaces, at a password change. */
  readonly caller?: SessionReference & SessionContext;
  /**
   * The transaction in which the session is opened. A transaction of the library is committed also if a gate throws a
   * challenge. For its own transaction, the app decides.
   */
  readonly em?: EntityManager;
}
