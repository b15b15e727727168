import { accessTokenOf, hasDpopScheme } from '../authentication/request-authentication.js';
import { PROOF_ALGORITHMS } from '../dpop/proof-keys.js';
import type { JwtAllauthError, StepUp } from '../error.js';
import type { Logger } from '../observability/logger.js';
import type { Telemetry } from '../observability/telemetry.js';
import type { Settings } from '../settings/settings.js';
import { isChallenge } from '../sign-in/challenge.js';
import type { HttpRequest, HttpResponse } from './http-message.js';
import { errorFields } from './loggable-error.js';
import { hasErrorsAsPages } from './pages/errors-as-pages.js';
import type { LinkPages } from './pages/link-pages.js';

/** Sends and logs errors. */
export class ErrorAnswers {
  constructor(
    private readonly kernel: {
      readonly logger: Logger;
      readonly telemetry: Telemetry;
      readonly settings: Settings;
    },
    private readonly pages: LinkPages,
  ) {}

  /** Logs an error. Counts a 401, a 403 and an error with a reason. @param problem the error as it is sent */
  log(error: unknown, problem: JwtAllauthError, request: HttpRequest): void {
    const { logger, telemetry } = this.kernel;
    if (problem.httpCode >= 500) report(error, problem, request, logger);
    if (problem.httpCode !== 401 && problem.httpCode !== 403 && problem.reason === undefined) return;
    logger.info({ code: problem.code, reason: problem.reason }, 'request refused');
    telemetry.countRefusal(problem);
  }

  /** Sends problem details (RFC 9457), or an HTML page if a person opened the route in a browser. */
  send(problem: JwtAllauthError, request: HttpRequest, response: HttpResponse): void {
    if (hasErrorsAsPages(response)) this.pages.sendError(response, problem);
    else answer(problem, request, response, this.kernel.settings);
  }
}

function answer(problem: JwtAllauthError, request: HttpRequest, response: HttpResponse, settings: Settings): void {
  if (problem.httpCode === 401) response.setHeader('WWW-Authenticate', challengeOf(problem, request, settings));
  if (problem.dpop?.nonce) response.setHeader('DPoP-Nonce', problem.dpop.nonce);
  // Also on the app's routes: a challenge is a secret of this client, and after a step-up the same request succeeds.
  if (problem.stepUp || isChallenge(problem)) response.setHeader('Cache-Control', 'no-store');
  if (problem.retryAfter !== undefined) response.setHeader('Retry-After', String(problem.retryAfter));
  response.setHeader('Content-Type', 'application/problem+json; charset=utf-8');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.status(problem.httpCode).end(JSON.stringify(problem));
}

/**
 * The `WWW-Authenticate` header. It has an `error` for a step-up (RFC 9470), for a DPoP proof (RFC 9449 §7.1) and if a
 * token was sent (RFC 6750 §3). Its scheme is that of the token.
 */
function challengeOf(
  { isAboutToken, detail, stepUp, dpop }: JwtAllauthError,
  request: HttpRequest,
  settings: Settings,
): string {
  // The detail may come from the app: it must not end the quoted string.
  const description = `error_description="${detail.replace(/[^\x20-\x7e]|["\\]/g, '')}"`;
  if (stepUp) return `Bearer error="insufficient_user_authentication", ${requirementOf(stepUp)}, ${description}`;
  const algorithms = `algs="${PROOF_ALGORITHMS.join(' ')}"`;
  if (dpop) return `DPoP error="${dpop.error}", ${description}, ${algorithms}`;
  if (accessTokenOf(request, settings) === undefined || !isAboutToken) return 'Bearer';
  const isByProof = settings.accessTokenBinding && hasDpopScheme(request);
  return isByProof
    ? `DPoP error="invalid_token", ${description}, ${algorithms}`
    : `Bearer error="invalid_token", ${description}`;
}

/** The parameter with what is asked of the user (RFC 9470 §3). */
function requirementOf(stepUp: StepUp): string {
  return 'maxAge' in stepUp ? `max_age="${stepUp.maxAge}"` : `acr_values="${stepUp.acrValues}"`;
}

/** Logs an error with status 5xx. */
function report(error: unknown, { code, cause }: JwtAllauthError, request: HttpRequest, logger: Logger): void {
  logger.error({ code, ...errorFields(cause ?? error, request) }, 'request failed');
}
