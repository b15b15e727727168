import { type ExpressErrorMiddlewareInterface, Middleware } from 'routing-controllers';
import { answerAfterApp, isHandedToApp } from './answer-after-app.js';
import type { ErrorAnswers } from './error-answers.js';
import type { HttpRequest, HttpResponse, Next } from './http-message.js';
import type { LibraryRequests } from './library-requests.js';
import { toProblem } from './problem-details.js';

/**
 * The middlewares that answer every error, ours and the app's: with problem details (RFC 9457), or with a page where a
 * person has opened one. The app's own error middlewares come before the second one and see every error of the app's
 * routes. Of ours they see 5xx only: what our routes refuse is answered first, because our clients depend on its form.
 * An error that is not answered yet and is a 5xx goes on to what the app has registered behind us, such as an error
 * tracker.
 */
export function createErrorMiddlewares(answers: ErrorAnswers, own: LibraryRequests): (new () => object)[] {
  @Middleware({ type: 'after', priority: Number.MAX_SAFE_INTEGER - 1 })
  class LibraryErrorMiddleware implements ExpressErrorMiddlewareInterface {
    error(error: unknown, request: HttpRequest, response: HttpResponse, next: Next): void {
      const isOwn = own.includes(request) && !isHandedToApp(request);
      const problem = toProblem(error);
      if (isOwn) answers.log(error, problem, request);
      if (isOwn && problem.httpCode < 500 && !response.headersSent) answers.send(problem, request, response);
      else next(error);
    }
  }

  @Middleware({ type: 'after', priority: Number.MIN_SAFE_INTEGER })
  class ErrorMiddleware implements ExpressErrorMiddlewareInterface {
    error(error: unknown, request: HttpRequest, response: HttpResponse, next: Next): void {
      const isDone = response.headersSent || isHandedToApp(request);
      const problem = toProblem(error);
      if (!own.includes(request) && !isHandedToApp(request)) answers.log(error, problem, request);
      if (isDone) next(error);
      else if (problem.httpCode < 500) answers.send(problem, request, response);
      else answerAfterApp(error, request, next, () => answers.send(problem, request, response));
    }
  }
  return [LibraryErrorMiddleware, ErrorMiddleware];
}
