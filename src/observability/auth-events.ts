import type { ProofRefusal, TokenReuse } from '../error.js';
import type { Logger } from './logger.js';

/**
 * Why a session was ended:
 *
 * - `logout`, `logout-all`: the user signed out, of this session or of all;
 * - `revoked`, `revoke-others`: the user ended this session, or all except the current one;
 * - `superseded`: the same browser signed in or signed up again;
 * - `replay`: a used refresh token was presented again, a sign of theft;
 * - `password-change`: the user's password was changed, reset or removed;
 * - `deactivation`, `deletion`: the user was deactivated or deleted;
 * - `factor-change`: a second factor of the user was set up, or an operator removed it;
 * - `session-cap`: the user had more sessions than MAX_SESSIONS_PER_USER allows;
 * - `session-lifetime`: the session reached SESSION_LIFETIME;
 * - `app`: the app's own code, or the command line.
 */
export type RevocationReason =
  | 'logout'
  | 'logout-all'
  | 'revoked'
  | 'revoke-others'
  | 'superseded'
  | 'replay'
  | 'password-change'
  | 'deactivation'
  | 'deletion'
  | 'factor-change'
  | 'session-cap'
  | 'session-lifetime'
  | 'app';

/** The properties of every event. */
export interface AuthEvent {
  readonly at: Date;
}

/** An event that concerns a user. */
export interface UserEvent extends AuthEvent {
  /** Key of the user, as a string. */
  readonly user: string;
}

/** An event that concerns a session. */
export interface SessionEvent extends UserEvent {
  /** Id of the session. */
  readonly session: string;
}

/** A user was created by a sign-up. */
export interface UserRegistered extends UserEvent {
  /** How the person has signed up: `password`, or a method of a module. */
  readonly method: string;
}

/** A session was opened. */
export interface SessionOpened extends SessionEvent {
  /** Express's `req.ip` without port and zone id; undefined if it is not known. */
  readonly ip?: string;
}

/**
 * A session was ended. The process that ends it emits the complete event. Every other process with a revocation list
 * emits one with the reason `elsewhere` and without the user.
 */
export interface SessionRevoked extends AuthEvent {
  readonly session: string;
  /** Key of its user, as a string; undefined for `elsewhere`. */
  readonly user?: string;
  readonly reason: RevocationReason | 'elsewhere';
}

/** The user of a session authenticated again. */
export interface SessionReauthenticated extends SessionEvent {
  /** All methods by which the user has authenticated in this session (RFC 8176). */
  readonly amr: readonly string[];
}

/** A client presented a refresh token that is not the live token of its session. */
export interface SessionReuseDetected extends SessionEvent {
  readonly reuse: TokenReuse;
}

/** A request to a bound session had no valid DPoP proof by the key of the session. The session goes on. */
export interface SessionBindingRefused extends SessionEvent {
  readonly reason: ProofRefusal;
}

/** A sign-in was refused, or a signed-in user entered a wrong password when asked to confirm it. */
export interface LoginFailed extends AuthEvent {
  /** The error code: `incorrect_credentials`, `no_active_account`, `email_not_verified` or `too_many_requests`. */
  readonly code: string;
  /** Key of the user with the given address; undefined if there is no such user, or the library did not search. */
  readonly user?: string;
  /** Express's `req.ip` without port and zone id; undefined if it is not known. */
  readonly ip?: string;
}

/** The events by name. A module adds its own by declaration merging. */
export interface AuthEventMap {
  'user.registered': UserRegistered;
  'user.invited': UserEvent;
  'user.deactivated': UserEvent;
  'email.verified': UserEvent;
  'email.changed': UserEvent;
  'login.failed': LoginFailed;
  'password.changed': UserEvent;
  'session.opened': SessionOpened;
  'session.refreshed': SessionEvent;
  'session.reauthenticated': SessionReauthenticated;
  'session.revoked': SessionRevoked;
  'session.reuse-detected': SessionReuseDetected;
  'session.binding-refused': SessionBindingRefused;
}

/** Name and properties of an event that is about to be recorded; `Journal` adds the instant. */
export type NewEvent = {
  [K in keyof AuthEventMap]: readonly [name: K, what: Omit<AuthEventMap[K], 'at'>];
}[keyof AuthEventMap];

/** The arguments of an `onAny` listener: the name of an event, and the event. */
export type NamedEvent = {
  [K in keyof AuthEventMap]: [name: K, event: AuthEventMap[K]];
}[keyof AuthEventMap];

type Listener<E> = (event: E) => unknown;

/**
 * Emits events to listeners of the app, for example for an audit trail or for mails. An error in a listener is logged
 * and never fails a request.
 */
export class AuthEvents {
  readonly #listeners = new Map<keyof AuthEventMap, Set<Listener<never>>>();
  readonly #listenersOfAll = new Set<(...named: NamedEvent) => unknown>();

  constructor(private readonly logger: Logger) {}

  /** Calls `listener` for every event of that name. Returns a function that removes the listener. */
  on<K extends keyof AuthEventMap>(name: K, listener: Listener<AuthEventMap[K]>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** Calls `listener` for every event, with its name. Returns a function that removes the listener. */
  onAny(listener: (...named: NamedEvent) => unknown): () => void {
    this.#listenersOfAll.add(listener);
    return () => void this.#listenersOfAll.delete(listener);
  }

  /** Calls the listeners. Neither waits for them nor throws their errors. */
  emit<K extends keyof AuthEventMap>(name: K, event: AuthEventMap[K]): void {
    for (const listener of this.#listeners.get(name) ?? []) void this.#call(name, () => listener(event as never));
    for (const listener of this.#listenersOfAll)
      void this.#call(name, () => listener(...([name, event] as NamedEvent)));
  }

  async #call(name: keyof AuthEventMap, listener: () => unknown): Promise<void> {
    try {
      await listener();
    } catch (error) {
      this.logger.error(
        { event: name, error: error instanceof Error ? error.name : 'unknown' },
        'event listener failed',
      );
    }
  }
}
