import { getMetadataArgsStorage } from 'routing-controllers';
import { authError } from '../error-table.js';
import type { Settings } from '../settings/settings.js';
import { transportFault } from './auth-transport.js';
import { isClientDisconnected } from './disconnected-client.js';
import type { HttpRequest, HttpResponse, Next } from './http-message.js';
import type { BodyRequest } from './read-body.js';
import { isBelow } from './unknown-route.middleware.js';

/** Distinguishes requests to the library's routes from those to the app's routes. */
export class LibraryRequests {
  readonly #known = new WeakSet<object>();

  constructor(
    private readonly prefix: string,
    private readonly settings: Settings,
  ) {}

  /**
   * Adds a middleware to these controllers that runs before any other. It registers the request, or refuses it if the
   * client has disconnected or the requested transport is not allowed.
   */
  watch(controllers: readonly object[]): void {
    const mark = (request: BodyRequest, _response: HttpResponse, next: Next) => {
      this.#known.add(request);
      const isDisconnected = isClientDisconnected(request);
      // A request with a transport that the settings do not allow must have no effect.
      next(
        isDisconnected
          ? authError('bad_request', { detail: 'The client has disconnected.' })
          : transportFault(request, this.settings),
      );
    };
    const { uses } = getMetadataArgsStorage();
    for (const target of controllers) uses.unshift({ target: target as never, middleware: mark, afterAction: false });
  }

  /**
   * Whether a request reached one of the library's controllers, or has a path below the prefix and reached no action.
   */
  includes(request: HttpRequest): boolean {
    return this.#known.has(request) || (isBelow(this.prefix, request.path) && !request.routingControllersStarted);
  }

  /** Whether a request reached one of the library's controllers. */
  hasReachedController(request: object): boolean {
    return this.#known.has(request);
  }
}
