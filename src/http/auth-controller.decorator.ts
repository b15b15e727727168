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
  /** Whether caches may store the answers. Each action then sets `Cache-Control` itself. */
  readonly isCacheable?: boolean;
  /** The name of this group of actions. An app can switch it off with `routes: { <name>: false }`. */
  readonly name?: string;
}

/**
 * Makes a class a controller of the library. Caches do not store its answers, errors included, unless
 * `isCacheable` is set. Browsers do not guess the media type of an answer. class-transformer changes neither requests
 * nor answers, even if the app's options turn it on.
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
