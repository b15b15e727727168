import { AuthError } from './auth-error.js';

/**
 * Stores the refresh token if it travels in bodies (REFRESH_TOKEN_TRANSPORT). An injected script can read
 * everything that scripts of the page can read, so prefer the cookie in browsers.
 */
export interface RefreshTokenStore {
  /** Whether every tab of the browser reads the same token from this store. Only then do tabs share sessions. */
  readonly isShared: boolean;
  /** Returns the token that was set last. */
  get(): string | undefined | Promise<string | undefined>;
  /** Stores the token, or removes it if it is undefined. */
  set(token: string | undefined): void | Promise<void>;
}

/** Reads and writes the stored token. */
export type StoredToken = Pick<RefreshTokenStore, 'get' | 'set'>;

/** A store in memory, which lasts as long as the program or the page. */
export function memoryStore(): RefreshTokenStore {
  let stored: string | undefined;
  return {
    isShared: false,
    get: () => stored,
    set: (token) => {
      stored = token;
    },
  };
}

/** Wraps a store so that its errors become AuthErrors with the code `store_failed`. */
export function withAuthErrors(store: RefreshTokenStore): StoredToken {
  return {
    get: () => wrapErrors(() => store.get()),
    set: (token) => wrapErrors(() => store.set(token)),
  };
}

async function wrapErrors<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw new AuthError('store_failed', 0, `${cause}`, [], undefined, cause);
  }
}
