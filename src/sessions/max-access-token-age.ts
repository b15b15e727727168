import type { Settings } from '../settings/settings.js';

/** Tolerated difference between the clocks of servers. */
const MAX_CLOCK_SKEW_SECONDS = 60;

/**
 * How long after the end of a session any server may still accept one of its access tokens, in milliseconds: the
 * lifetime of an access token plus the tolerated clock difference.
 */
export function maxAccessTokenAgeMs({ accessTokenLifetime }: Settings): number {
  return (accessTokenLifetime + MAX_CLOCK_SKEW_SECONDS) * 1000;
}
