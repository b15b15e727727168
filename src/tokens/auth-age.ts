/** How far in the future an `auth_time` may be, because the clocks of servers differ. */
export const MAX_SKEW_SECONDS = 60;

/**
 * How long ago a user authenticated, in seconds. Undefined if that is not known, or more than a minute in the future:
 * such a proof would seem fresh for too long.
 *
 * @param authTime the claim `auth_time` (OpenID Connect Core §2)
 * @param now in seconds since the epoch
 */
export function authAge(authTime: number | undefined, now: number): number | undefined {
  if (authTime === undefined || authTime - now > MAX_SKEW_SECONDS) return undefined;
  return Math.max(0, now - authTime);
}
