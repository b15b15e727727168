import type { TokenReuse } from '../error.js';
import type { Logger } from './logger.js';

/** A refresh token was presented that is not the live one of its session. */
export interface SessionReuseDetected {
  readonly reuse: TokenReuse;
  /** Id of the session that the token names. */
  readonly session: string;
  /** Id of the user that the token names. */
  readonly user: string;
  readonly at: Date;
}

/** The events by name, with what their listeners are given. */
export interface AuthEventMap {
  'session.reuse-detected': SessionReuseDetected;
}

type Listener<E> = (event: E) => unknown;

/** Tells the app what happened, for audit trails and mails. A listener that throws or rejects never breaks a request. */
export class AuthEvents {
  readonly #listeners = new Map<keyof AuthEventMap, Set<Listener<never>>>();

  constructor(private readonly logger: Logger) {}

  /** Calls `listener` on every event of that name. Returns a function that ends this. */
  on<K extends keyof AuthEventMap>(name: K, listener: Listener<AuthEventMap[K]>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** Tells every listener; what they do is neither awaited nor able to fail the caller. */
  emit<K extends keyof AuthEventMap>(name: K, event: AuthEventMap[K]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      void this.#call(name, listener as Listener<AuthEventMap[K]>, event);
    }
  }

  async #call<K extends keyof AuthEventMap>(name: K, listener: Listener<AuthEventMap[K]>, event: AuthEventMap[K]) {
    try {
      await listener(event);
    } catch (error) {
      this.logger.error(
        { event: name, error: error instanceof Error ? error.name : 'unknown' },
        'event listener failed',
      );
    }
  }
}
