import { UseBefore } from 'routing-controllers';
import { authError } from '../error-table.js';
import type { Before, HttpRequest } from './http-message.js';

/** Where a request keeps the guard of the app that serves it. Two apps of a process can share a controller. */
const GUARD = Symbol('origin guard');

type GuardedRequest = HttpRequest & { [GUARD]?: Before };

/**
 * Refuses a browser's request from a foreign origin, as our own sign-in does: 403 `csrf_failed`. For a route of the app
 * that signs in, or that believes a cookie. The own origin, PUBLIC_URL's and TRUSTED_ORIGINS pass, and so does a client
 * that sends neither `Origin` nor `Sec-Fetch-Site`. It holds wherever the refresh token travels. An `Auth-Transport`
 * that the settings do not allow is 400. On a method or on a controller.
 */
export function FromOwnOrigin(): MethodDecorator & ClassDecorator {
  const decorate = UseBefore(refuseForeignOrigin) as (target: unknown, key?: string | symbol) => void;
  return (target: unknown, key?: string | symbol) => decorate(target, key);
}

/** Lets the actions of a request find the guard of their app. */
export function keepOriginGuard(request: HttpRequest, guard: Before): void {
  (request as GuardedRequest)[GUARD] = guard;
}

/** Whether a middleware is what `@FromOwnOrigin` puts on an action. */
export function isFromOwnOrigin(middleware: unknown): boolean {
  return middleware === refuseForeignOrigin;
}

const refuseForeignOrigin: Before = (request: GuardedRequest, response, next) => {
  const guard = request[GUARD];
  if (guard) return guard(request, response, next);
  next(authError('controller_refused', { detail: '@FromOwnOrigin needs the options of auth.serverOptions().' }));
};
