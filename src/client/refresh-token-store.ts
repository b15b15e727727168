import { AuthError } from './auth-error.js';

/**
 * Where the refresh token is kept when it travels in bodies (REFRESH_TOKEN_TRANSPORT). What scripts of a page
 * can read, an injected script can steal: in browsers prefer the cookie.
 */
export interface RefreshTokenStore {
  /** Whether every tab of the browser reads the same token here: only then do tabs share sessions. */
  readonly isShared: boolean;
  /** The token that was set last. */
  get(): string | undefined | Promise<string | undefined>;
  /** Keeps the token; forgets it when there is none. */
  set(token: string | undefined): void | Promise<void>;
}

/** The refresh token in its store. */
export type KeptToken = Pick<RefreshTokenStore, 'get' | 'set'>;

/** A store that lasts as long as the program, or the page. */
export function memoryStore(): RefreshTokenStore {
  let kept: string | undefined;
  return {
    isShared: false,
    get: () => kept,
    set: (token) => {
      kept = token;
    },
  };
}

/** The same store, whose errors are AuthErrors with the code `store_failed`. */
export function withAuthErrors(store: RefreshTokenStore): KeptToken {
  return {
    get: () => use(() => store.get()),
    set: (token) => use(() => store.set(token)),
  };
}

async function use<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw new AuthError('store_failed', 0, `${cause}`, [], undefined, cause);
  }
}
