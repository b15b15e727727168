import { UseBefore } from 'routing-controllers';
import { authError } from '../error-table.js';
import type { Before, HttpRequest } from './http-message.js';

/**
 * The property of a request with the origin guard of the app that serves it. Two apps of a process can share a
 * controller, so the guard cannot belong to the controller.
 */
const GUARD = Symbol('origin guard');

type GuardedRequest = HttpRequest & { [GUARD]?: Before };

/**
 * Refuses a browser's request from a foreign origin with 403 `csrf_failed`, as the library's sign-in does. Use it on a
 * method or controller of your app that signs users in or accepts a cookie as a credential. Requests from the same
 * origin, from the origin of PUBLIC_URL and from TRUSTED_ORIGINS pass, and so do clients that send neither `Origin` nor
 * `Sec-Fetch-Site`. The transport of the refresh token makes no difference. A value of `Auth-Transport` that the
 * settings do not allow is answered with 400.
 */
export function FromOwnOrigin(): MethodDecorator & ClassDecorator {
  const decorate = UseBefore(refuseForeignOrigin) as (target: unknown, key?: string | symbol) => void;
  return (target: unknown, key?: string | symbol) => decorate(target, key);
}

/** Stores the guard of the app in the request, for `@FromOwnOrigin`. */
export function keepOriginGuard(request: HttpRequest, guard: Before): void {
  (request as GuardedRequest)[GUARD] = guard;
}

/** Whether a middleware was added by `@FromOwnOrigin`. */
export function isFromOwnOrigin(middleware: unknown): boolean {
  return middleware === refuseForeignOrigin;
}

const refuseForeignOrigin: Before = (request: GuardedRequest, response, next) => {
  const guard = request[GUARD];
  if (guard) return guard(request, response, next);
  next(authError('controller_refused', { detail: '@FromOwnOrigin needs the options of auth.serverOptions().' }));
};
