import { Role } from '../users/role.js';
import type { AccessRequest } from './access-request.js';
import type { Principal } from './principal.js';

/**
 * A condition on who sent the request and on what they ask for, for `@Authorized(predicate)`. Only `true` lets the
 * request pass. It runs after the body was read and before anything has validated it. It must not throw: an error that
 * it throws is the answer.
 */
export type AccessPredicate = (principal: Principal, request: AccessRequest) => boolean | Promise<boolean>;

/** What `@Authorized` takes: a role number or a predicate, or an array of them. */
export type AccessRule = number | AccessPredicate;

/** Lets those through whose `emailVerified` was true when their access token was made. */
export const EmailVerified: AccessPredicate = (principal) => principal.emailVerified;

/** Whether a value in `@Authorized(…)` is one that this library understands. */
export function isAccessRule(rule: unknown): rule is AccessRule {
  return Number.isSafeInteger(rule) || typeof rule === 'function';
}

/**
 * Whether the principal may pass: every predicate AND, if roles are named, any of the roles. Staff and superusers pass
 * every role. routing-controllers joins the rules of a controller and of its action into one list, so both count.
 *
 * @throws TypeError for a rule of another kind: a mistyped rule must not let anybody through
 */
export async function isPermitted(
  principal: Principal,
  rules: readonly unknown[],
  request: AccessRequest,
): Promise<boolean> {
  if (!rules.every(isAccessRule)) throw new TypeError('@Authorized takes role numbers and predicates');
  const roles = rules.filter((rule) => typeof rule === 'number');
  const privileged = [Role.STAFF, Role.SUPERUSER, ...roles];
  if (roles.length > 0 && !privileged.includes(principal.role)) return false;
  for (const rule of rules) {
    if (typeof rule === 'function' && (await ask(rule, principal, request)) !== true) return false;
  }
  return true;
}

/**
 * Asks a predicate. What it throws must be an error: Express goes on to the action when it is given `undefined` or
 * `'route'`.
 */
async function ask(predicate: AccessPredicate, principal: Principal, request: AccessRequest): Promise<boolean> {
  try {
    return await predicate(principal, request);
  } catch (error) {
    throw error instanceof Error
      ? error
      : new TypeError('A predicate of @Authorized threw something that is no error.');
  }
}
