import { type ExpressMiddlewareInterface, Middleware } from 'routing-controllers';
import { Service } from 'typedi';
import { ErrorCode, JwtAllauthError } from '../error.js';
import type { HttpRequest, HttpResponse, Next } from './http-message.js';

/** The middleware that answers what no controller did below our prefix; other paths stay the app's business. */
export function createUnknownRouteMiddleware(prefix: string) {
  @Service()
  @Middleware({ type: 'after', priority: 1000 })
  class UnknownRouteMiddleware implements ExpressMiddlewareInterface {
    use({ path }: HttpRequest, response: HttpResponse, next: Next): void {
      const isOurs = path === prefix || path.startsWith(`${prefix}/`);
      const isUnanswered = isOurs && !response.headersSent;
      next(
        isUnanswered ? new JwtAllauthError(ErrorCode.NotFound, 404, 'There is nothing at this address.') : undefined,
      );
    }
  }
  return UnknownRouteMiddleware;
}
