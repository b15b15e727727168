import type { ProblemDetails } from '../error.js';
import { AuthError, unexpected, unreachable } from './auth-error.js';

/** What an endpoint answered; fails with its error. */
export async function resultOf<Result>(answer: Response): Promise<Result> {
  if (!answer.ok) throw await errorOf(answer);
  if (answer.status === 204) return undefined as Result;
  return (answer.json() as Promise<Result>).catch((cause) => {
    // A body that was cut short is an answer that was lost.
    throw cause instanceof SyntaxError ? unexpected(answer.status) : unreachable(cause);
  });
}

/**
 * Whether a 401 is about the token, and not about a password in the request. Servers that are none of ours tell it
 * by 401.
 */
export async function isTokenRefused(response: Response): Promise<boolean> {
  const { code } = await errorOf(response);
  return ['token_not_valid', 'not_authenticated', 'unexpected_answer'].includes(code);
}

/**
 * The error that an answer stands for, also where the app fetched it itself:
 * `if (!answer.ok) throw await errorOf(answer)`. It keeps nothing of an answer that is not problem details with a code
 * (RFC 9457): that is an `unexpected_answer`.
 */
export async function errorOf(response: Response): Promise<AuthError> {
  const { status, headers } = response;
  const retryAfter = Number(headers.get('Retry-After')) || undefined;
  const body = (await response.json().catch(() => undefined)) as Partial<ProblemDetails> | undefined;
  return typeof body?.code === 'string' && typeof body.detail === 'string'
    ? new AuthError(body.code, status, body.detail, body.errors, retryAfter)
    : unexpected(status, retryAfter);
}
