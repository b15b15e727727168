import { UseBefore } from 'routing-controllers';

const marked = new WeakSet<object>();

/**
 * Loads the complete user entity, once per request, and gives it to every `@CurrentUser()` of the action in place of
 * the principal: managed by the request's EntityManager, so that changing and flushing it works. On a method or on a
 * controller. A user who was deleted or deactivated since the token was made gets 401 `token_not_valid`.
 */
export function LoadUser(): MethodDecorator & ClassDecorator {
  const decorate = UseBefore(markForLoading) as (target: unknown, key?: string | symbol) => void;
  return (target: unknown, key?: string | symbol) => decorate(target, key);
}

/** Whether the action of this request asked for the user entity. */
export function isMarkedForLoading(request: object): boolean {
  return marked.has(request);
}

/** Whether a middleware is what `@LoadUser` puts on an action. */
export function isLoadUser(middleware: unknown): boolean {
  return middleware === markForLoading;
}

function markForLoading(request: object, _response: unknown, next: () => void): void {
  marked.add(request);
  next();
}
