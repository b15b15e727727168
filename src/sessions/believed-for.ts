import type { Settings } from '../settings/settings.js';

/** Seconds by which the clocks of servers may differ. */
const SKEW = 60;

/** Milliseconds after the end of a session in which an access token of it can still be good, on whatever server. */
export function believedFor({ accessTokenLifetime }: Settings): number {
  return (accessTokenLifetime + SKEW) * 1000;
}
