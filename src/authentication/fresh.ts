import { reauthenticationRequired } from '../error-table.js';
import { parseDuration } from '../settings/duration.js';
import type { AccessPredicate } from './access-predicate.js';

const predicates = new WeakSet<object>();

/**
 * Makes a predicate that permits users who have authenticated within this time: by a sign-in, or by
 * `POST /reauthenticate`. A refresh does not count. It reads the claim `auth_time` of the access token, without a
 * query.
 *
 * Others get 401 `reauthentication_required`, with `max_age` in `WWW-Authenticate` (RFC 9470).
 *
 * @param maxAge a duration such as `10m`, or seconds
 * @throws TypeError for any other value
 *
 * @example
 * ```ts
 * @Authorized(Fresh('10m'))
 * @Post('/payouts')
 * pay() {}
 * ```
 */
export function Fresh(maxAge: string | number): AccessPredicate {
  const seconds = parseDuration(maxAge) as number;
  if (!Number.isSafeInteger(seconds) || seconds < 1) {
    throw new TypeError('Fresh() needs a duration such as 10m, or a whole number of seconds');
  }
  const predicate: AccessPredicate = ({ authAge }) => {
    if (authAge === undefined || authAge > seconds) throw reauthenticationRequired(seconds);
    return true;
  };
  predicates.add(predicate);
  return predicate;
}

/** Whether a rule in `@Authorized(…)` was made by `Fresh`. */
export function isFresh(rule: unknown): boolean {
  return typeof rule === 'function' && predicates.has(rule);
}
