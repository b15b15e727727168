import type { IncomingMessage } from 'node:http';
import type { Principal } from './principal.js';

/**
 * Authenticates requests by something other than the library's access tokens: an API key in a header, a client
 * certificate, a token of another issuer. Pass the class to `createJwtAllauth({ authenticators })`.
 *
 * @example
 * ```ts
 * class Machines implements Authenticator {
 *   async authenticate({ headers }: IncomingMessage) {
 *     const machine = await findMachine(headers['x-machine-key']);
 *     return machine && new Principal({ sub: machine.owner, role: 0, email_verified: true }, 'machine');
 *   }
 * }
 * ```
 */
export interface Authenticator {
  /**
   * Called at most once per request, and only if the request has no access token of the library. It must verify the
   * credential completely: the returned principal is trusted.
   *
   * @returns undefined if the request has no credential that this authenticator knows; the next authenticator is called
   * @throws the error that answers the request, for a credential that it knows and refuses
   */
  authenticate(request: IncomingMessage): Promise<Principal | undefined>;
}

/**
 * An authenticator class. The container creates the instance if the class is registered there; otherwise it is
 * constructed without arguments.
 */
export type AuthenticatorClass = new (...args: never[]) => Authenticator;
