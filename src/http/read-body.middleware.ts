import { type ExpressMiddlewareInterface, Middleware } from 'routing-controllers';
import type { HttpResponse, Next } from './http-message.js';
import type { BodyRequest } from './read-body.js';

/**
 * The middleware that keeps a body which the app parsed before the library's middlewares, for the app's own
 * controllers: the body parser of routing-controllers does not know that Express 5 has parsed it, and would fail on the
 * empty stream.
 */
export function createReadBodyMiddleware() {
  @Middleware({ type: 'before', priority: 1000 })
  class ReadBodyMiddleware implements ExpressMiddlewareInterface {
    use(request: BodyRequest, _response: HttpResponse, next: Next): void {
      if (request.readableEnded && request.body !== undefined) request._body = true;
      next();
    }
  }
  return ReadBodyMiddleware;
}
