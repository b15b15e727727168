import { Authorized, JsonController, UseBefore } from 'routing-controllers';
import type { Before } from './http-message.js';
import { noSniff, noStore } from './no-store.js';
import { requireJson } from './require-json.js';
import { nameRoutes } from './route-switches.js';

/** Turns class-transformer off: inputs are made by `validateInput`, and answers are sent as they are. */
const WITHOUT_TRANSFORMER = { transformRequest: false, transformResponse: false } as const;

/** What holds for every action of a controller. */
export interface AuthControllerOptions {
  /** Whether they need an access token. */
  readonly isBearer?: boolean;
  /** Whether they refuse bodies that are not JSON. */
  readonly isJsonOnly?: boolean;
  /** Refuses requests from foreign origins, before a body is looked at. */
  readonly originGuard?: Before;
  /** Whether caches may keep the answers; the actions say for how long. */
  readonly isCacheable?: boolean;
  /** The name by which an app can switch them off. */
  readonly name?: string;
}

/**
 * Makes a class a controller of the library. Its answers are not cached and their type is not guessed, errors included.
 * Bodies come in and go out as they are, whatever options the app gives class-transformer.
 *
 * @param prefix path below which it answers
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
