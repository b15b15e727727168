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
 * The app's interceptors as routing-controllers runs them, kept off our routes: an app that wraps its answers would
 * wrap our tokens, and no client could sign in. Each keeps its priority, and its instance comes from the app's
 * container.
 *
 * @throws controller_refused for one that is not given as a class
 */
export function createAppInterceptors(classes: readonly unknown[], own: LibraryRequests): (new () => object)[] {
  if (!classes.every((each) => typeof each === 'function')) {
    const detail = 'interceptors must be given as classes, so that they can be kept off the routes of jwt-allauth';
    throw authError('controller_refused', { detail });
  }
  const listed = getMetadataArgsStorage().interceptors.filter(({ target }) => classes.includes(target));
  const wrapped = listed.map(({ target, priority }) => createAppInterceptor(target, priority, own));
  // Without a class here routing-controllers would run every interceptor of the process.
  return wrapped.length > 0 ? wrapped : [class NoInterceptor {}];
}

function createAppInterceptor(target: unknown, priority: number | undefined, own: LibraryRequests): new () => object {
  @Interceptor({ priority })
  class AppInterceptor implements InterceptorInterface {
    intercept(action: Action, result: unknown) {
      if (own.hasReachedController(action.request)) return result;
      return getFromContainer<InterceptorInterface>(target as never, action).intercept(action, result);
    }
  }
  return AppInterceptor;
}
