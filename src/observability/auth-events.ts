import type { TokenReuse } from '../error.js';
import type { Logger } from './logger.js';

/**
 * Why a session was ended:
 *
 * - `logout`, `logout-all`: its owner signed out, here or everywhere;
 * - `revoked`, `revoke-others`: its owner ended it from another session;
 * - `superseded`: its browser signed in or signed up again;
 * - `replay`: a copied refresh token was found;
 * - `password-change`, `deactivation`, `deletion`: what had let it in no longer does;
 * - `session-cap`: MAX_SESSIONS_PER_USER; `session-lifetime`: SESSION_LIFETIME;
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
  | 'session-cap'
  | 'session-lifetime'
  | 'app';

/** What every event tells. */
export interface AuthEvent {
  readonly at: Date;
}

/** Something that happened to a user, whose key is given as a string. */
export interface UserEvent extends AuthEvent {
  readonly user: string;
}

/** Something that happened to a session, whose id is given. */
export interface SessionEvent extends UserEvent {
  readonly session: string;
}

/** A session was opened. */
export interface SessionOpened extends SessionEvent {
  /** Express's `req.ip` without port and zone id; undefined where it is not known. */
  readonly ip?: string;
}

/**
 * A session was ended. The process that ends it emits the whole event. Every other server that keeps a revocation list
 * emits one with the reason `elsewhere`: it knows the session and nothing else.
 */
export interface SessionRevoked extends AuthEvent {
  readonly session: string;
  /** Key of its user, as a string; undefined for `elsewhere`. */
  readonly user?: string;
  readonly reason: RevocationReason | 'elsewhere';
}

/** A refresh token was presented that is not the live one of its session. */
export interface SessionReuseDetected extends SessionEvent {
  readonly reuse: TokenReuse;
}

/** Somebody could not sign in, or gave a wrong password where it was asked for once more. */
export interface LoginFailed extends AuthEvent {
  /**
   * The code of the answer: `incorrect_credentials`, `no_active_account`, `email_not_verified` or `too_many_requests`.
   */
  readonly code: string;
  /** Key of the user whose address was given; undefined where it belongs to nobody, or was not looked up. */
  readonly user?: string;
  /** Express's `req.ip` without port and zone id; undefined where it is not known. */
  readonly ip?: string;
}

/**
 * The events by name, with what their listeners are given. A feature adds its own by declaring this interface again.
 */
export interface AuthEventMap {
  'user.registered': UserEvent;
  'user.invited': UserEvent;
  'user.deactivated': UserEvent;
  'email.verified': UserEvent;
  'email.changed': UserEvent;
  'login.failed': LoginFailed;
  'password.changed': UserEvent;
  'session.opened': SessionOpened;
  'session.refreshed': SessionEvent;
  'session.revoked': SessionRevoked;
  'session.reuse-detected': SessionReuseDetected;
}

/** What happened, before it is told when. */
export type NewEvent = {
  [K in keyof AuthEventMap]: readonly [name: K, what: Omit<AuthEventMap[K], 'at'>];
}[keyof AuthEventMap];

/** An event behind its name. */
export type NamedEvent = {
  [K in keyof AuthEventMap]: [name: K, event: AuthEventMap[K]];
}[keyof AuthEventMap];

type Listener<E> = (event: E) => unknown;

/**
 * Tells the app what happened, for audit trails and mails. A listener that throws or rejects never breaks a request.
 */
export class AuthEvents {
  readonly #listeners = new Map<keyof AuthEventMap, Set<Listener<never>>>();
  readonly #listenersOfAll = new Set<(...named: NamedEvent) => unknown>();

  constructor(private readonly logger: Logger) {}

  /** Calls `listener` on every event of that name. Returns a function that ends this. */
  on<K extends keyof AuthEventMap>(name: K, listener: Listener<AuthEventMap[K]>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** Calls `listener` on every event, with its name. Returns a function that ends this. */
  onAny(listener: (...named: NamedEvent) => unknown): () => void {
    this.#listenersOfAll.add(listener);
    return () => void this.#listenersOfAll.delete(listener);
  }

  /** Tells every listener; what they do is neither awaited nor able to fail the caller. */
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
