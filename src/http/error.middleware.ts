import { type ExpressErrorMiddlewareInterface, Middleware } from 'routing-controllers';
import { answerAfterApp, isHandedToApp } from './answer-after-app.js';
import type { ErrorAnswers } from './error-answers.js';
import type { HttpRequest, HttpResponse, Next } from './http-message.js';
import type { LibraryRequests } from './library-requests.js';
import { toProblem } from './problem-details.js';

/**
 * Creates the middlewares that answer every error of the library and the app: with problem details (RFC 9457), or with
 * an HTML page if a person opened the route. The app's own error middlewares run between the two. They see every error
 * of the app's routes, but only 5xx errors of the library's routes: the library's other errors are answered first,
 * because its clients depend on their form. A 5xx error that has not been answered goes on to handlers that the app
 * registered later, such as an error tracker.
 */
export function createErrorMiddlewares(answers: ErrorAnswers, libraryRequests: LibraryRequests): (new () => object)[] {
  @Middleware({ type: 'after', priority: Number.MAX_SAFE_INTEGER - 1 })
  class LibraryErrorMiddleware implements ExpressErrorMiddlewareInterface {
    error(error: unknown, request: HttpRequest, response: HttpResponse, next: Next): void {
      const isForLibrary = libraryRequests.includes(request) && !isHandedToApp(request);
      const problem = toProblem(error);
      if (isForLibrary) answers.log(error, problem, request);
      if (isForLibrary && problem.httpCode < 500 && !response.headersSent) answers.send(problem, request, response);
      else next(error);
    }
  }

  @Middleware({ type: 'after', priority: Number.MIN_SAFE_INTEGER })
  class ErrorMiddleware implements ExpressErrorMiddlewareInterface {
    error(error: unknown, request: HttpRequest, response: HttpResponse, next: Next): void {
      const isDone = response.headersSent || isHandedToApp(request);
      const problem = toProblem(error);
      if (!libraryRequests.includes(request) && !isHandedToApp(request)) answers.log(error, problem, request);
      if (isDone) next(error);
      else if (problem.httpCode < 500) answers.send(problem, request, response);
      else answerAfterApp(error, request, next, () => answers.send(problem, request, response));
    }
  }
  return [LibraryErrorMiddleware, ErrorMiddleware];
}
