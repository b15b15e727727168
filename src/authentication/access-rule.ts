import { Role } from '../users/role.js';
import type { AccessPredicate } from './access-predicate.js';
import type { AccessRequest } from './access-request.js';
import { Fresh } from './fresh.js';
import type { Principal } from './principal.js';

/** An argument of `@Authorized`: a role number or a predicate. An array of them is accepted too. */
export type AccessRule = number | AccessPredicate;

/** Permits principals whose e-mail address was confirmed when their access token was issued. */
export const EmailVerified: AccessPredicate = (principal) => principal.emailVerified;

/** Whether a value in `@Authorized(…)` is a role number or a predicate. `Fresh` itself, not called, is neither. */
export function isAccessRule(rule: unknown): rule is AccessRule {
  return Number.isSafeInteger(rule) || (typeof rule === 'function' && rule !== Fresh);
}

/**
 * Whether the rules permit the principal: every predicate must return true and, if the rules contain roles, the
 * principal must have one of them. Staff and superusers have every role. routing-controllers joins the rules of a
 * controller and of its action into one list, so both apply.
 *
 * @throws TypeError for any other kind of rule, because a mistyped rule must not grant access
 */
export async function isPermitted(
  principal: Principal,
  rules: readonly unknown[],
  request: AccessRequest,
): Promise<boolean> {
  if (!rules.every(isAccessRule)) throw new TypeError('@Authorized accepts only role numbers and predicates');
  const roles = rules.filter((rule) => typeof rule === 'number');
  const privileged = [Role.STAFF, Role.SUPERUSER, ...roles];
  if (roles.length > 0 && !privileged.includes(principal.role)) return false;
  for (const rule of rules) {
    if (typeof rule === 'function' && (await evaluate(rule, principal, request)) !== true) return false;
  }
  return true;
}

/**
 * Calls a predicate. Converts a thrown value that is not an Error to an Error, because Express would run the action if
 * it got `undefined` or `'route'` as an error.
 */
async function evaluate(predicate: AccessPredicate, principal: Principal, request: AccessRequest): Promise<boolean> {
  try {
    return await predicate(principal, request);
  } catch (error) {
    throw error instanceof Error
      ? error
      : new TypeError('A predicate of @Authorized threw a value that is not an Error.');
  }
}
