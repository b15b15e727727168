import type { HttpRequest, HttpResponse } from '../../http/http-message.js';
import type { OneTimeCookie } from '../../http/one-time-cookie.js';
import { createRandomKey, isRandomKey } from '../../secrets/random-key.js';
import { STATE_SECONDS } from './social-states.js';

/** The name of the cookie that binds a sign-in to the browser that began it. */
export const BROWSER_COOKIE = 'social_browser';

/**
 * Identifies browsers by a cookie with a random value. A browser has one value for all its tabs, so that several
 * sign-ins can wait at the same time.
 */
export class SocialBrowsers {
  constructor(private readonly cookie: OneTimeCookie) {}

  /** The values of the browser's cookies. */
  of(request: HttpRequest): readonly string[] {
    return this.cookie.read(request);
  }

  /** Marks a browser, or keeps its mark for a longer time. @returns the value of the cookie */
  mark(request: HttpRequest, response: HttpResponse): string {
    const value = this.of(request).find(isRandomKey) ?? createRandomKey();
    this.cookie.set(response, value, STATE_SECONDS);
    return value;
  }
}
