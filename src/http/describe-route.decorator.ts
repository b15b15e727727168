import type { RouteDescription } from './route-description.js';

/** Descriptions by the class of the controller and the name of the method. */
const descriptions = new WeakMap<object, Map<string, RouteDescription>>();

/**
 * Describes an action for the OpenAPI document. It does not change how the action is served.
 *
 * @example
 * ```ts
 * @Get('/user')
 * @DescribeRoute({ id: 'getUser', tag: 'Account', summary: 'Get the user\'s profile', answers: { 200: … } })
 * async get() {}
 * ```
 */
export function DescribeRoute(description: RouteDescription) {
  return (prototype: object, method: string): void => {
    const type = prototype.constructor;
    descriptions.set(type, new Map(descriptions.get(type)).set(method, description));
  };
}

/** The description of an action; undefined without `@DescribeRoute`. */
export function descriptionOf(controller: object, method: string): RouteDescription | undefined {
  return descriptions.get(controller)?.get(method);
}
