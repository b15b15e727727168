import { Authorized, JsonController, UseBefore } from 'routing-controllers';
import type { Before } from './http-message.js';
import { noSniff, noStore } from './no-store.js';
import { requireJson } from './require-json.js';
import { nameRoutes } from './route-switches.js';

/** Turns class-transformer off: inputs are made by `validateInput`, and answers are sent as they are. */
const WITHOUT_TRANSFORMER = { transformRequest: false, transformResponse: false } as const;

/** Options that apply to every action of a controller. */
export interface AuthControllerOptions {
  /** Whether the actions need an access token. */
  readonly isBearer?: boolean;
  /** Whether the actions refuse bodies that are not JSON. */
  readonly isJsonOnly?: boolean;
  /** Refuses requests from foreign origins, before the body is parsed. */
  readonly originGuard?: Before;
  /** Whether caches may store the answers; each action sets for how long. */
  readonly isCacheable?: boolean;
  /** The name by which an app can switch the actions off. */
  readonly name?: string;
}

/**
 * Makes a class a controller of the library. Its answers, including errors, are not cached, and browsers do not guess
 * their type. Request and response bodies are not transformed, whatever options the app gives class-transformer.
 *
 * @param prefix path below which the controller is mounted
 */
export function AuthController(prefix: string, options: AuthControllerOptions = {}): ClassDecorator {
  const { isBearer, isJsonOnly, originGuard, isCacheable, name } = options;
  const before = [
    isCacheable ? noSniff : noStore,
    ...(originGuard ? [originGuard] : []),
    ...(isJsonOnly ? [requireJson] : []),
  ];
  const decorators = [
    UseBefore(...before),
    JsonController(prefix, WITHOUT_TRANSFORMER),
    ...(isBearer ? [Authorized()] : []),
  ];
  return (type) => {
    for (const decorate of decorators) decorate(type);
    if (name) nameRoutes(type, name);
  };
}
