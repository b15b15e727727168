import { type ExpressErrorMiddlewareInterface, Middleware } from 'routing-controllers';
import { Service } from 'typedi';
import { bearerToken } from '../authentication/request-authentication.js';
import { ErrorCode, type JwtAllauthError } from '../error.js';
import type { Logger } from '../observability/logger.js';
import type { HttpRequest, HttpResponse, Next } from './http-message.js';
import { isPage } from './pages/as-page.js';
import type { LinkPages } from './pages/link-pages.js';
import { toProblem } from './problem-details.js';

/**
 * The middleware that answers every error of the app, ours and its own: with problem details (RFC 9457), or with a page where
 * a person has opened one.
 */
export function createErrorMiddleware(logger: Logger, pages: LinkPages) {
  @Service()
  @Middleware({ type: 'after' })
  class ErrorMiddleware implements ExpressErrorMiddlewareInterface {
    error(error: unknown, request: HttpRequest, response: HttpResponse, next: Next): void {
      const problem = toProblem(error);
      if (problem.httpCode >= 500) report(error, problem, logger);
      if (problem.httpCode === 401) logger.info({ code: problem.code, reason: problem.reason }, 'request refused');
      if (response.headersSent) next(error);
      else if (isPage(response)) pages.error(response, problem);
      else answer(problem, request, response);
    }
  }
  return ErrorMiddleware;
}

function answer(problem: JwtAllauthError, request: HttpRequest, response: HttpResponse): void {
  if (problem.httpCode === 401) response.setHeader('WWW-Authenticate', challenge(problem, request));
  if (problem.retryAfter !== undefined) response.setHeader('Retry-After', String(problem.retryAfter));
  response.setHeader('Content-Type', 'application/problem+json; charset=utf-8');
  response.status(problem.httpCode).end(JSON.stringify(problem));
}

/** RFC 6750 §3: the error only where a token was sent, so that a client without one is not told that it is invalid. */
function challenge({ code, detail }: JwtAllauthError, request: HttpRequest): string {
  if (bearerToken(request) === undefined || code === ErrorCode.IncorrectCredentials) return 'Bearer';
  const description = detail.replace(/[^\x20-\x7e]|["\\]/g, ''); // the words may be the app's: they must not end the string
  return `Bearer error="invalid_token", error_description="${description}"`;
}

/** Tells the operator. Later lines and own properties of the error are left out: a driver puts whole rows there. */
function report(error: unknown, { code, cause }: JwtAllauthError, logger: Logger): void {
  const reason = cause ?? error;
  const isError = reason instanceof Error;
  const frames = isError ? reason.stack?.split('\n').filter((line) => line.trimStart().startsWith('at ')) : [];
  const what = isError ? { error: reason.name, reason: reason.message.split('\n')[0] } : { error: typeof reason };
  logger.error({ code, ...what, stack: frames?.join('\n') }, 'request failed');
}
