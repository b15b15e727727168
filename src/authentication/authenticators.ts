import type { IncomingMessage } from 'node:http';
import { Container, type ContainerInstance } from 'typedi';
import type { Authenticator, AuthenticatorClass } from './authenticator.js';
import { Principal } from './principal.js';
import { SessionPrincipal } from './session-principal.js';

/** The authenticators of one app, in the order in which they are asked. */
export class Authenticators {
  readonly #all: readonly Authenticator[];

  /**
   * @param classes those of the app, which are asked first
   * @param others those of modules
   * @throws TypeError for what is no class of authenticators, and for one that nothing can construct
   */
  constructor(
    classes: readonly AuthenticatorClass[],
    container: ContainerInstance,
    others: readonly Authenticator[] = [],
  ) {
    this.#all = [...classes.map((type) => construct(type, container)), ...others];
  }

  /** Whether the app has none. */
  get isEmpty(): boolean {
    return this.#all.length === 0;
  }

  /**
   * What the first one that knows the credential says; undefined where none does.
   *
   * @throws what an authenticator throws; TypeError for what it returns in place of a principal
   */
  async find(request: IncomingMessage): Promise<Principal | undefined> {
    for (const each of this.#all) {
      const principal = await ask(each, request);
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
  // TypeDI looks up what @Service() has registered in its own container, whichever container is asked.
  const known = type as new () => Authenticator;
  if (container.has(known) || Container.of().has(known)) return container.get(known);
  if (type.length === 0) return new known();
  throw new TypeError(`authenticators: ${type.name} has constructor parameters and needs @Service()`);
}

/** Express goes on to the action when it is given `undefined` or `'route'` as an error. */
async function ask(authenticator: Authenticator, request: IncomingMessage): Promise<unknown> {
  try {
    return await authenticator.authenticate(request);
  } catch (error) {
    if (error instanceof Error) throw error;
    throw new TypeError(`${authenticator.constructor.name}.authenticate threw something that is no error`);
  }
}

function assertPrincipal(found: unknown, authenticator: Authenticator): asserts found is Principal {
  const { name } = authenticator.constructor;
  if (!(found instanceof Principal)) throw new TypeError(`${name}.authenticate must return a Principal or undefined`);
  if (found.kind !== 'session' || found instanceof SessionPrincipal) return;
  throw new TypeError(`${name}.authenticate returned a Principal of kind session; choose another kind`);
}
