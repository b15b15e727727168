import { getMetadataArgsStorage } from 'routing-controllers';
import { isOriginGuard } from '../http/csrf.js';
import { descriptionOf } from '../http/describe-route.decorator.js';
import { errorsAsPages } from '../http/pages/errors-as-pages.js';
import type { RouteDescription } from '../http/route-description.js';
import { appliesTo } from './applies-to.js';

/** A route of the library, with its description and the facts from its decorators. */
export interface LibraryRoute {
  /** In lower case. */
  readonly method: string;
  /** The path below the prefix. */
  readonly path: string;
  readonly description: RouteDescription;
  /** Whether the route needs an access token. */
  readonly isBearer: boolean;
  /** Whether the route accepts an access token, but does not need one: a member of the body can replace it. */
  readonly isBearerOptional: boolean;
  /** Whether the route reads a body. */
  readonly hasBody: boolean;
  /** Whether requests from foreign origins are refused. */
  readonly isOriginChecked: boolean;
  /** Whether a person opens it in a browser, so that its errors are HTML pages. */
  readonly isPage: boolean;
}

/**
 * The routes of the library's controllers, in the order of their declaration.
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
      const appliesToAction = appliesTo(target, name);
      const before = uses
        .filter((use) => appliesToAction(use) && !use.afterAction)
        .map(({ middleware }) => middleware as object);
      const isBearer = responseHandlers.some((handler) => handler.type === 'authorized' && appliesToAction(handler));
      const takes = (kind: string) =>
        params.some((each) => each.type === kind && each.object.constructor === target && each.method === name);
      return {
        method: type,
        path: String(route),
        description,
        isBearer,
        isBearerOptional: !isBearer && takes('current-user'),
        hasBody: takes('body'),
        isOriginChecked: before.some(isOriginGuard),
        isPage: before.includes(errorsAsPages),
      };
    });
}
