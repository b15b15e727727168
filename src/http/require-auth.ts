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
      /** The sender of the request. A middleware of `auth.requireAuth()` sets it. */
      principal?: Principal;
    }
  }
}

/** A middleware for plain Express routes, version 4 or 5. */
export type RequireAuth = (request: AccessRequest, response: HttpResponse, next: Next) => Promise<void>;

/**
 * Creates `auth.requireAuth`, which makes middlewares. Each checks what `@Authorized(…rules)` checks, and sets
 * `request.principal`. Errors are answered like those of the library's routes. A 5xx error goes to the app's error
 * handlers first.
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
    if (!rules.every(isAccessRule))
      throw refused('requireAuth accepts role numbers and predicates as separate arguments');
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
