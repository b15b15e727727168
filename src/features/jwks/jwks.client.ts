import type { ClientCalls } from '../../client-calls.js';

/** The client's methods for this feature. */
export const jwksMethods = ({ call }: ClientCalls) => ({
  /** Gets the public keys of the tokens (RFC 7517 section 5). */
  keys: () => call<{ readonly keys: readonly Readonly<Record<string, unknown>>[] }>('GET', '/.well-known/jwks.json'),
});
