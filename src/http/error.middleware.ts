import { type ExpressErrorMiddlewareInterface, Middleware } from 'routing-controllers';
import { bearerToken } from '../authentication/request-authentication.js';
import { ErrorCode, type JwtAllauthError } from '../error.js';
import type { Logger } from '../observability/logger.js';
import type { Telemetry } from '../observability/telemetry.js';
import type { HttpRequest, HttpResponse, Next } from './http-message.js';
import { answerLast, isAnsweredLast } from './last-answer.js';
import { loggableError } from './loggable-error.js';
import type { OwnRequests } from './own-requests.js';
import { isPage } from './pages/as-page.js';
import type { LinkPages } from './pages/link-pages.js';
import { toProblem } from './problem-details.js';

/**
 * The middlewares that answer every error, ours and the app's: with problem details (RFC 9457), or with a page where a
 * person has opened one. The app's own error middlewares come before the second one and see every error of the app's
 * routes. Of ours they see 5xx only: what our routes refuse is answered first, because our clients depend on its form.
 * An error that is not answered yet and is a 5xx goes on to what the app has registered behind us, such as an error
 * tracker.
 */
export function createErrorMiddlewares(
  logger: Logger,
  telemetry: Telemetry,
  pages: LinkPages,
  own: OwnRequests,
): (new () => object)[] {
  const log = (error: unknown, problem: JwtAllauthError, request: HttpRequest) => {
    if (problem.httpCode >= 500) report(error, problem, request, logger);
    if (problem.httpCode !== 401 && problem.httpCode !== 403) return;
    logger.info({ code: problem.code, reason: problem.reason }, 'request refused');
    telemetry.countRefusal(problem);
  };
  const answerWith = (problem: JwtAllauthError, request: HttpRequest, response: HttpResponse) =>
    isPage(response) ? pages.error(response, problem) : answer(problem, request, response);

  @Middleware({ type: 'after', priority: Number.MAX_SAFE_INTEGER - 1 })
  class OwnErrorMiddleware implements ExpressErrorMiddlewareInterface {
    error(error: unknown, request: HttpRequest, response: HttpResponse, next: Next): void {
      const isOwn = own.has(request) && !isAnsweredLast(request);
      const problem = toProblem(error);
      if (isOwn) log(error, problem, request);
      if (isOwn && problem.httpCode < 500 && !response.headersSent) answerWith(problem, request, response);
      else next(error);
    }
  }

  @Middleware({ type: 'after', priority: Number.MIN_SAFE_INTEGER })
  class ErrorMiddleware implements ExpressErrorMiddlewareInterface {
    error(error: unknown, request: HttpRequest, response: HttpResponse, next: Next): void {
      const isDone = response.headersSent || isAnsweredLast(request);
      const problem = toProblem(error);
      if (!own.has(request) && !isAnsweredLast(request)) log(error, problem, request);
      if (isDone) next(error);
      else if (problem.httpCode < 500) answerWith(problem, request, response);
      else answerLast(error, request, next, () => answerWith(problem, request, response));
    }
  }
  return [OwnErrorMiddleware, ErrorMiddleware];
}

function answer(problem: JwtAllauthError, request: HttpRequest, response: HttpResponse): void {
  if (problem.httpCode === 401) response.setHeader('WWW-Authenticate', challenge(problem, request));
  if (problem.retryAfter !== undefined) response.setHeader('Retry-After', String(problem.retryAfter));
  response.setHeader('Content-Type', 'application/problem+json; charset=utf-8');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.status(problem.httpCode).end(JSON.stringify(problem));
}

/** RFC 6750 §3: the error only where a token was sent, so that a client without one is not told that it is invalid. */
function challenge({ code, detail }: JwtAllauthError, request: HttpRequest): string {
  if (bearerToken(request) === undefined || code === ErrorCode.IncorrectCredentials) return 'Bearer';
  // The words may be the app's: they must not end the string.
  const description = detail.replace(/[^\x20-\x7e]|["\\]/g, '');
  return `Bearer error="invalid_token", error_description="${description}"`;
}

/**
 * Logs an error: `err` is the error itself where it holds no secret; of what is no Error only the type is logged.
 */
function report(error: unknown, { code, cause }: JwtAllauthError, request: HttpRequest, logger: Logger): void {
  const reason = cause ?? error;
  logger.error(
    { code, ...(reason instanceof Error ? fieldsOf(reason, request) : { error: typeof reason }) },
    'request failed',
  );
}

function fieldsOf(reason: Error, request: HttpRequest): object {
  const shown = loggableError(reason, request);
  const frames = shown.stack?.split('\n').filter((line) => line.trimStart().startsWith('at '));
  return { error: shown.name, reason: shown.message.split('\n')[0], stack: frames?.join('\n'), err: shown };
}
