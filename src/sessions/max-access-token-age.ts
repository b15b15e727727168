import type { Settings } from '../settings/settings.js';

/** Seconds by which the clocks of servers may differ. */
const MAX_CLOCK_SKEW_SECONDS = 60;

/** Milliseconds after the end of a session in which an access token of it can still be good, on whatever server. */
export function maxAccessTokenAgeMs({ accessTokenLifetime }: Settings): number {
  return (accessTokenLifetime + MAX_CLOCK_SKEW_SECONDS) * 1000;
}
