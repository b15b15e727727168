import type { AccessRequest } from '../authentication/access-request.js';
import { type AccessRule, isAccessRule, isPermitted } from '../authentication/access-rule.js';
import { refused } from '../authentication/controller-check.js';
import type { Principal } from '../authentication/principal.js';
import type { RequestAuthentication } from '../authentication/request-authentication.js';
import { authError } from '../error-table.js';
import { answerAfterApp } from './answer-after-app.js';
import type { ErrorAnswers } from './error-answers.js';
import type { HttpRequest, HttpResponse, Next } from './http-message.js';
import { toProblem } from './problem-details.js';

declare global {
  namespace Express {
    interface Request {
      /** Who sends the request. It is set behind `auth.requireAuth()`. */
      principal?: Principal;
    }
  }
}

/** A middleware for routes of Express itself, version 4 or 5. */
export type RequireAuth = (request: AccessRequest, response: HttpResponse, next: Next) => Promise<void>;

/**
 * Makes the function that makes these middlewares. Each does what `@Authorized(…rules)` does, and sets
 * `request.principal`. Errors are answered as those of our routes are; one of 5xx goes on to the error handlers of the
 * app first.
 */
export function createRequireAuth(authentication: RequestAuthentication, answers: ErrorAnswers) {
  const refuse = (error: unknown, request: HttpRequest, response: HttpResponse, next: Next) => {
    const problem = toProblem(error);
    answers.log(error, problem, request);
    if (response.headersSent) next(error);
    else if (problem.httpCode < 500) answers.send(problem, request, response);
    else answerAfterApp(error, request, next, () => answers.send(problem, request, response));
  };
  return (...rules: readonly AccessRule[]): RequireAuth => {
    if (!rules.every(isAccessRule)) throw refused('requireAuth takes role numbers and predicates, one by one');
    return async (request, response, next) => {
      try {
        const principal = await authentication.authenticate(request);
        if (!(await isPermitted(principal, rules, request))) throw authError('permission_denied');
        (request as { principal?: Principal }).principal = principal;
      } catch (error) {
        return refuse(error, request as AccessRequest & HttpRequest, response, next);
      }
      next();
    };
  };
}
