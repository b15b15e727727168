import { UseBefore } from 'routing-controllers';

const marked = new WeakSet<object>();

/**
 * Loads the complete user entity once per request and passes it to every `@CurrentUser()` of the action instead of the
 * principal. The request's EntityManager manages the entity, so changing and flushing it works. Use it on a method or a
 * controller. If the user was deleted or deactivated after the token was issued, the answer is 401 `token_not_valid`.
 */
export function LoadUser(): MethodDecorator & ClassDecorator {
  const decorate = UseBefore(markForLoading) as (target: unknown, key?: string | symbol) => void;
  return (target: unknown, key?: string | symbol) => decorate(target, key);
}

/** Whether the action of this request has `@LoadUser()`. */
export function isMarkedForLoading(request: object): boolean {
  return marked.has(request);
}

/** Whether a middleware was added by `@LoadUser`. */
export function isLoadUser(middleware: unknown): boolean {
  return middleware === markForLoading;
}

function markForLoading(request: object, _response: unknown, next: () => void): void {
  marked.add(request);
  next();
}
