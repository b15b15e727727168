import type { OneTimeCookie } from './one-time-cookie.js';

/** By which the browser that signed up is known again. */
export interface SignUpCookie {
  readonly cookie: OneTimeCookie;
  /** Seconds. */
  readonly lifetime: number;
}
