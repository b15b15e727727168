import type { MikroORM } from '@mikro-orm/postgresql';
import { type ExpressMiddlewareInterface, Middleware } from 'routing-controllers';
import { openRequestContext, requestEntityManager } from '../database/request-context.js';
import { keepOriginGuard } from './from-own-origin.decorator.js';
import type { Before, HttpRequest, HttpResponse, Next } from './http-message.js';

/**
 * The middleware that prepares each request: it opens an EntityManager for it, unless the app has done so already, and
 * stores the guard of `@FromOwnOrigin`.
 */
export function createRequestContextMiddleware(orm: MikroORM, guard: Before) {
  @Middleware({ type: 'before', priority: 1000 })
  class RequestContextMiddleware implements ExpressMiddlewareInterface {
    use(request: HttpRequest, _response: HttpResponse, next: Next): void {
      keepOriginGuard(request, guard);
      if (requestEntityManager(orm)) next();
      else openRequestContext(orm, next);
    }
  }
  return RequestContextMiddleware;
}
