import type { RouteDescription } from './route-description.js';

/** Descriptions by the class of the controller and the name of the method. */
const descriptions = new WeakMap<object, Map<string, RouteDescription>>();

/**
 * Says of an action what a document has to know of it. It changes nothing about how the action is served.
 *
 * @example
 * ```ts
 * @Get('/user')
 * @DescribeRoute({ id: 'getUser', tag: 'Account', summary: 'The own profile', answers: { 200: … } })
 * async get() {}
 * ```
 */
export function DescribeRoute(description: RouteDescription) {
  return (prototype: object, method: string): void => {
    const type = prototype.constructor;
    descriptions.set(type, new Map(descriptions.get(type)).set(method, description));
  };
}

/** What `DescribeRoute` said of an action; undefined where it said nothing. */
export function descriptionOf(controller: object, method: string): RouteDescription | undefined {
  return descriptions.get(controller)?.get(method);
}
