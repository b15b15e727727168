import type { Action } from 'routing-controllers';
import type { BaseUser } from '../users/base-user.entity.js';
import { isMarkedForLoading } from './load-user.decorator.js';
import type { Principal } from './principal.js';
import type { RequestAuthentication } from './request-authentication.js';

/**
 * Creates the function that resolves `@CurrentUser()`: the principal or, with `@LoadUser()`, the user entity. Without
 * `@Authorized`, an anonymous request gets undefined; an invalid token is refused in any case.
 */
export function createCurrentUserChecker(authentication: RequestAuthentication) {
  return ({ request }: Action): Principal | Promise<Principal | BaseUser | undefined> | undefined => {
    const userOrPrincipal = (principal: Principal) =>
      isMarkedForLoading(request) ? authentication.user(request, principal) : principal;
    const found = authentication.principal(request);
    if (found instanceof Promise)
      return found.then<Principal | BaseUser | undefined>((principal) => principal && userOrPrincipal(principal));
    return found && userOrPrincipal(found);
  };
}
