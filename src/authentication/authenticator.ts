import type { IncomingMessage } from 'node:http';
import type { Principal } from './principal.js';

/**
 * A way to find out who sends a request, beside access tokens: a key in a header, a client certificate, a token of
 * another issuer. Give its class to `createJwtAllauth({ authenticators })`.
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
   * Asked at most once for a request, and only where it carries no access token of this library. It must check the
   * credential completely: what it returns is believed.
   *
   * @returns undefined when the request has no credential that this authenticator knows: the next one is asked
   * @throws an error that is the answer to the request, for a credential that it knows and refuses
   */
  authenticate(request: IncomingMessage): Promise<Principal | undefined>;
}

/** A class of authenticators. It is constructed by the container where that knows it, and else without arguments. */
export type AuthenticatorClass = new (...args: never[]) => Authenticator;
