import type { AccessRequest } from './access-request.js';
import type { Principal } from './principal.js';

/**
 * A condition for `@Authorized(predicate)`. It gets the principal and the request. Only `true` permits the request. It
 * runs after the body was parsed and before validation. An error that it throws becomes the answer.
 */
export type AccessPredicate = (principal: Principal, request: AccessRequest) => boolean | Promise<boolean>;
