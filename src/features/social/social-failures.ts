import type { JwtAllauthError } from '../../error.js';
import { errorFields } from '../../http/loggable-error.js';
import { toProblem } from '../../http/problem-details.js';
import type { RequestWithSecrets } from '../../http/request-secrets.js';
import type { AuthKernel } from '../../kernel.js';
import { isChallenge } from '../../sign-in/challenge.js';
import { causesInWords } from './provider-errors.js';
import { SOCIAL_ERRORS } from './social-errors.js';

const MESSAGE = 'sign-in with a provider failed';

/**
 * Logs why a sign-in or a connection with a provider failed: provider, code and causes. Some failures are not logged:
 * questions to the user (a second factor, a step-up), and requests that anyone can repeat without a limit (for an
 * unknown provider, or above the limit).
 */
export class SocialFailures {
  constructor(private readonly kernel: Pick<AuthKernel, 'logger'>) {}

  /** Logs a refusal. A fault of the server is logged by the library, with the request that fails. */
  logRefusal(provider: string, error: unknown): void {
    const problem = toProblem(error);
    const { code, reason } = problem;
    if (isFault(problem) || isExpected(problem)) return;
    // Other errors may have causes with data of users: those of the app, and of the database.
    const causes = Object.hasOwn(SOCIAL_ERRORS, code) ? causesInWords(error) : undefined;
    this.kernel.logger.warn({ provider, code, ...(reason && { reason }), ...(causes && { causes }) }, MESSAGE);
  }

  /** Logs a failure that is answered by a redirect to the app: a refusal, or a fault of the server with its stack. */
  log(provider: string, error: unknown, request: RequestWithSecrets): void {
    const problem = toProblem(error);
    if (isFault(problem)) {
      const fields = errorFields(problem.cause ?? error, request);
      this.kernel.logger.error({ provider, code: problem.code, ...fields }, MESSAGE);
    } else this.logRefusal(provider, error);
  }
}

/** A provider that does not answer is no fault of this server. */
function isFault({ httpCode, code }: JwtAllauthError): boolean {
  return httpCode >= 500 && !Object.hasOwn(SOCIAL_ERRORS, code);
}

function isExpected(problem: JwtAllauthError): boolean {
  const { httpCode, code, stepUp } = problem;
  return stepUp !== undefined || httpCode === 429 || code === 'provider_not_found' || isChallenge(problem);
}
