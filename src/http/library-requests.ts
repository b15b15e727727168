import { getMetadataArgsStorage } from 'routing-controllers';
import { authError } from '../error-table.js';
import type { Settings } from '../settings/settings.js';
import { transportFault } from './auth-transport.js';
import { isClientDisconnected } from './disconnected-client.js';
import type { HttpRequest, HttpResponse, Next } from './http-message.js';
import type { BodyRequest } from './read-body.js';
import { isBelow } from './unknown-route.middleware.js';

/** Tells the requests that our controllers answer from those of the app. */
export class LibraryRequests {
  readonly #known = new WeakSet<object>();

  constructor(
    private readonly prefix: string,
    private readonly settings: Settings,
  ) {}

  /** Makes every request to these controllers known before anything else of theirs runs, or refuses it. */
  watch(controllers: readonly object[]): void {
    const mark = (request: BodyRequest, _response: HttpResponse, next: Next) => {
      this.#known.add(request);
      const isGone = isClientDisconnected(request);
      // A request for a transport that the settings do not allow must have no effect.
      next(
        isGone ? authError('bad_request', { detail: 'The client has left.' }) : transportFault(request, this.settings),
      );
    };
    const { uses } = getMetadataArgsStorage();
    for (const target of controllers) uses.unshift({ target: target as never, middleware: mark, afterAction: false });
  }

  /** Whether a request went to one of our controllers, or to an address below our prefix where no action began. */
  includes(request: HttpRequest): boolean {
    return this.#known.has(request) || (isBelow(this.prefix, request.path) && !request.routingControllersStarted);
  }

  /** Whether one of our controllers has begun to answer a request. */
  hasReachedController(request: object): boolean {
    return this.#known.has(request);
  }
}
