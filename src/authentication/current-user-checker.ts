import type { Action } from 'routing-controllers';
import type { BaseUser } from '../users/base-user.entity.js';
import { isMarkedForLoading } from './load-user.decorator.js';
import type { Principal } from './principal.js';
import type { RequestAuthentication } from './request-authentication.js';

/**
 * What `@CurrentUser()` is given: the principal, or with `@LoadUser()` the user entity. Without `@Authorized` an anonymous
 * request gets undefined; a token that was sent but is not valid is refused all the same.
 */
export function createCurrentUserChecker(authentication: RequestAuthentication) {
  return ({ request }: Action): Principal | Promise<Principal | BaseUser> | undefined => {
    const principal = authentication.principal(request);
    if (!principal) return undefined;
    const answer = (): Principal | Promise<Principal | BaseUser> =>
      isMarkedForLoading(request) ? authentication.user(request, principal) : principal;
    const checking = authentication.checkSession(request, principal);
    return checking ? checking.then<Principal | BaseUser>(answer) : answer();
  };
}
