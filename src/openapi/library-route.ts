import { getMetadataArgsStorage } from 'routing-controllers';
import { isOriginGuard } from '../http/csrf.js';
import { descriptionOf } from '../http/describe-route.decorator.js';
import { errorsAsPages } from '../http/pages/errors-as-pages.js';
import type { RouteDescription } from '../http/route-description.js';

/** A route of the library: what it says of itself, and what its decorators do. */
export interface LibraryRoute {
  /** In lower case. */
  readonly method: string;
  /** Below the prefix. */
  readonly path: string;
  readonly description: RouteDescription;
  /** Whether it needs an access token. */
  readonly isBearer: boolean;
  /** Whether a body is parsed. */
  readonly isRead: boolean;
  /** Whether foreign origins are refused. */
  readonly isGuarded: boolean;
  /** Whether a person opens it: its errors are pages then. */
  readonly isPage: boolean;
}

/**
 * The routes of controllers that describe themselves, in the order in which they were decorated.
 *
 * @throws TypeError for an action without `@DescribeRoute`
 */
export function libraryRoutes(controllers: readonly object[]): LibraryRoute[] {
  const { actions, uses, responseHandlers, params } = getMetadataArgsStorage();
  return actions
    .filter(({ target }) => controllers.includes(target))
    .map(({ target, method: name, type, route }) => {
      const description = descriptionOf(target, name);
      if (!description) throw new TypeError(`${target.name}.${name} has no @DescribeRoute`);
      const holds = (each: { readonly target: unknown; readonly method?: string }) =>
        each.target === target && (each.method === undefined || each.method === name);
      const before = uses.filter((use) => holds(use) && !use.afterAction).map(({ middleware }) => middleware as object);
      return {
        method: type,
        path: String(route),
        description,
        isBearer: responseHandlers.some((handler) => handler.type === 'authorized' && holds(handler)),
        isRead: params.some(
          (each) => each.type === 'body' && each.object.constructor === target && each.method === name,
        ),
        isGuarded: before.some(isOriginGuard),
        isPage: before.includes(errorsAsPages),
      };
    });
}
