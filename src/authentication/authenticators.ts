import type { IncomingMessage } from 'node:http';
import { Container, type ContainerInstance } from 'typedi';
import type { Authenticator, AuthenticatorClass } from './authenticator.js';
import { Principal } from './principal.js';
import { SessionPrincipal } from './session-principal.js';

/** The authenticators of one app, in the order in which they are called. */
export class Authenticators {
  readonly #all: readonly Authenticator[];

  /**
   * @param classes the app's authenticators, called first
   * @param moduleAuthenticators authenticators of modules
   * @throws TypeError for a class without `authenticate`, and for one that cannot be constructed
   */
  constructor(
    classes: readonly AuthenticatorClass[],
    container: ContainerInstance,
    moduleAuthenticators: readonly Authenticator[] = [],
  ) {
    this.#all = [...classes.map((type) => construct(type, container)), ...moduleAuthenticators];
  }

  /** Whether there are no authenticators. */
  get isEmpty(): boolean {
    return this.#all.length === 0;
  }

  /**
   * The principal from the first authenticator that knows the credential; undefined if none does.
   *
   * @throws errors of authenticators; TypeError if one returns something other than a Principal or undefined, or a
   * Principal that claims to be of kind `session`
   */
  async find(request: IncomingMessage): Promise<Principal | undefined> {
    for (const each of this.#all) {
      const principal = await callAuthenticator(each, request);
      if (principal === undefined) continue;
      assertPrincipal(principal, each);
      return principal;
    }
    return undefined;
  }
}

function construct(type: AuthenticatorClass, container: ContainerInstance): Authenticator {
  if (typeof type !== 'function' || typeof type.prototype?.authenticate !== 'function') {
    throw new TypeError('authenticators: each must be a class with a method authenticate(request)');
  }
  // Classes with @Service() are in TypeDI's default container. `get` finds them there from every other container.
  const known = type as new () => Authenticator;
  if (container.has(known) || Container.of().has(known)) return container.get(known);
  if (type.length === 0) return new known();
  throw new TypeError(`authenticators: ${type.name} has constructor parameters and needs @Service()`);
}

/**
 * Calls an authenticator. Converts a thrown value that is not an Error to an Error, because Express would run the
 * action if it got `undefined` or `'route'` as an error.
 */
async function callAuthenticator(authenticator: Authenticator, request: IncomingMessage): Promise<unknown> {
  try {
    return await authenticator.authenticate(request);
  } catch (error) {
    if (error instanceof Error) throw error;
    throw new TypeError(`${authenticator.constructor.name}.authenticate threw a value that is not an Error`);
  }
}

function assertPrincipal(found: unknown, authenticator: Authenticator): asserts found is Principal {
  const { name } = authenticator.constructor;
  if (!(found instanceof Principal)) throw new TypeError(`${name}.authenticate must return a Principal or undefined`);
  if (found.kind !== 'session' || found instanceof SessionPrincipal) return;
  throw new TypeError(`${name}.authenticate returned a Principal of kind session; choose another kind`);
}
