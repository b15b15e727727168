import { AuthError } from './auth-error.js';

/** Where the refresh token is stored if it travels in bodies: a keychain, for example. */
export interface TokenPlace {
  /** Whether every tab of the browser reads the same token from this place. If not, tabs do not share sessions. */
  readonly isShared: boolean;
  /** Returns the token that was set last. */
  get(): string | undefined | Promise<string | undefined>;
  /** Keeps the token, or removes it if it is undefined. */
  set(token: string | undefined): void | Promise<void>;
}

/**
 * Keeps the refresh token of a client, and lets it travel in bodies (REFRESH_TOKEN_TRANSPORT). An injected script can
 * read whatever scripts of the page can read, so prefer the cookie in browsers. Made by `storeIn` or `memoryStore`.
 */
export interface RefreshTokenStore {
  readonly isShared: boolean;
  /** The headers of each request to an endpoint. */
  readonly headers: Readonly<Record<string, string>>;
  /** @throws AuthError `store_failed` */
  get(): Promise<string | undefined>;
  /** @throws AuthError `store_failed` */
  set(token: string | undefined): Promise<void>;
}

/** A store that keeps the token in this place. If the place throws, the call fails with `store_failed`. */
export function storeIn(place: TokenPlace): RefreshTokenStore {
  return {
    isShared: place.isShared,
    headers: { 'Auth-Transport': 'body' },
    get: () => use(() => place.get()),
    set: (token) => use(() => place.set(token)),
  };
}

/** A store in memory, which lasts as long as the program or the page. */
export function memoryStore(): RefreshTokenStore {
  let stored: string | undefined;
  return storeIn({
    isShared: false,
    get: () => stored,
    set: (token) => {
      stored = token;
    },
  });
}

async function use<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw new AuthError('store_failed', 0, `${cause}`, { cause });
  }
}
