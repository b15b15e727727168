import {
  type Action,
  getFromContainer,
  getMetadataArgsStorage,
  Interceptor,
  type InterceptorInterface,
} from 'routing-controllers';
import { authError } from '../error-table.js';
import type { LibraryRequests } from './library-requests.js';

/**
 * Wraps the app's interceptors so that they do not run on the library's routes: an interceptor that wraps answers would
 * also wrap tokens, and no client could sign in. Each keeps its priority, and its instance comes from the app's
 * container.
 *
 * @throws controller_refused for an interceptor that is not a class
 */
export function createAppInterceptors(
  classes: readonly unknown[],
  libraryRequests: LibraryRequests,
): (new () => object)[] {
  if (!classes.every((each) => typeof each === 'function')) {
    const detail = 'interceptors must be passed as classes so that they do not run on the routes of jwt-allauth';
    throw authError('controller_refused', { detail });
  }
  const listed = getMetadataArgsStorage().interceptors.filter(({ target }) => classes.includes(target));
  const wrapped = listed.map(({ target, priority }) => createAppInterceptor(target, priority, libraryRequests));
  // With an empty list, routing-controllers would run every interceptor of the process.
  return wrapped.length > 0 ? wrapped : [class NoInterceptor {}];
}

function createAppInterceptor(
  target: unknown,
  priority: number | undefined,
  libraryRequests: LibraryRequests,
): new () => object {
  @Interceptor({ priority })
  class AppInterceptor implements InterceptorInterface {
    intercept(action: Action, result: unknown) {
      if (libraryRequests.hasReachedController(action.request)) return result;
      return getFromContainer<InterceptorInterface>(target as never, action).intercept(action, result);
    }
  }
  return AppInterceptor;
}
