import { type ExpressMiddlewareInterface, Middleware } from 'routing-controllers';
import { authError } from '../error-table.js';
import type { HttpRequest, HttpResponse, Next } from './http-message.js';

/** The middleware that answers 404 to unknown paths below the library's prefix. The app handles all other paths. */
export function createUnknownRouteMiddleware(prefix: string) {
  @Middleware({ type: 'after', priority: Number.MAX_SAFE_INTEGER })
  class UnknownRouteMiddleware implements ExpressMiddlewareInterface {
    use({ path }: HttpRequest, response: HttpResponse, next: Next): void {
      const isUnanswered = isBelow(prefix, path) && !response.headersSent;
      next(isUnanswered ? authError('not_found') : undefined);
    }
  }
  return UnknownRouteMiddleware;
}

/** Whether a path is the prefix or lies below it. */
export function isBelow(prefix: string, path: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`);
}
