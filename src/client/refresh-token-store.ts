/**
 * Where the refresh token is kept when it travels in bodies (REFRESH_TOKEN_AS_COOKIE is false). What scripts of a page can
 * read, an injected script can steal: in browsers prefer the cookie.
 */
export interface RefreshTokenStore {
  /** Whether every tab of the browser reads the same token here: only then do tabs share sessions. */
  readonly isShared: boolean;
  /** The token that was set last. */
  get(): string | undefined | Promise<string | undefined>;
  /** Keeps the token; forgets it when there is none. */
  set(token: string | undefined): void | Promise<void>;
}

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
