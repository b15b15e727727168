import { type ExpressMiddlewareInterface, Middleware } from 'routing-controllers';
import type { HttpRequest, HttpResponse, Next } from './http-message.js';

/**
 * The last middleware of the server. It ends the chain of a request that has been answered, as Express does:
 * routing-controllers calls `next` after each answer, and a 404 handler that the app registered afterwards would answer
 * a second time.
 */
export function createEndOfChainMiddleware() {
  @Middleware({ type: 'after', priority: Number.MIN_SAFE_INTEGER })
  class EndOfChainMiddleware implements ExpressMiddlewareInterface {
    use(_request: HttpRequest, response: HttpResponse, next: Next): void {
      if (!response.headersSent) next();
    }
  }
  return EndOfChainMiddleware;
}
