import type { MikroORM } from '@mikro-orm/postgresql';
import { type ExpressMiddlewareInterface, Middleware } from 'routing-controllers';
import { openRequestContext, requestEntityManager } from '../database/request-context.js';
import type { HttpRequest, HttpResponse, Next } from './http-message.js';

/** The middleware that gives every request an EntityManager of its own, unless the app has done so already. */
export function createRequestContextMiddleware(orm: MikroORM) {
  @Middleware({ type: 'before', priority: 1000 })
  class RequestContextMiddleware implements ExpressMiddlewareInterface {
    use(_request: HttpRequest, _response: HttpResponse, next: Next): void {
      if (requestEntityManager(orm)) next();
      else openRequestContext(orm, next);
    }
  }
  return RequestContextMiddleware;
}
