import type { KeyPlace } from './key-place.js';

/** Sends a request. */
export type Fetch = (request: Request) => Promise<Response>;

/**
 * A `fetch` that binds sessions (`binding`), or the given one without `keys`. What binds is loaded on its own.
 * If that fails, new sessions are not bound.
 */
export function boundFetch(fetch: Fetch, url: string, keys: KeyPlace | boolean | undefined): Fetch {
  if (!keys) return fetch;
  const loading = import('./binding.js')
    .then(({ binding }) => binding(fetch, url, keys))
    .catch(
      (): Fetch => async (request) => {
        const answer = await fetch(request);
        // The session is bound, and another page load may have its key, so this is not its end.
        if (answer.headers.get('WWW-Authenticate')?.includes('dpop')) throw answer;
        return answer;
      },
    );
  return async (request) => (await loading)(request);
}
