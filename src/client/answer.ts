import type { ProblemDetails } from '../error.js';
import { AuthError, networkError, unexpectedAnswer } from './auth-error.js';

/** The body of a successful answer. @throws the AuthError of any other answer */
export async function resultOf<Result>(answer: Response): Promise<Result> {
  if (!answer.ok) throw await errorOf(answer);
  if (answer.status === 204) return undefined as Result;
  return (answer.json() as Promise<Result>).catch((cause) => {
    // An incomplete body counts as a lost answer.
    throw cause instanceof SyntaxError ? unexpectedAnswer(answer.status) : networkError(cause);
  });
}

/**
 * Whether a 401 refuses the token, rather than a password in the request. For an answer that is not from this library,
 * the status alone decides.
 */
export async function isTokenRefused(response: Response): Promise<boolean> {
  const { code } = await errorOf(response);
  return ['token_not_valid', 'not_authenticated', 'unexpected_answer'].includes(code);
}

/**
 * Reads the error from an answer, also in your own code: `if (!answer.ok) throw await errorOf(answer)`. If the answer
 * is not problem details with a code (RFC 9457), the error is `unexpected_answer` and contains nothing of it.
 */
export async function errorOf(response: Response): Promise<AuthError> {
  const { status, headers } = response;
  const retryAfter = Number(headers.get('Retry-After')) || undefined;
  const body = (await response.json().catch(() => undefined)) as Partial<ProblemDetails> | undefined;
  return typeof body?.code === 'string' && typeof body.detail === 'string'
    ? new AuthError(body.code, status, body.detail, body.errors, retryAfter)
    : unexpectedAnswer(status, retryAfter);
}
