import type { ProblemDetails } from '../error.js';
import { AuthError, networkError, unexpectedAnswer } from './auth-error.js';

/** Problem details. The members after `ProblemDetails` belong to the challenge of `second_factor_required`. */
interface Problem extends ProblemDetails {
  readonly challenge?: string;
  readonly methods?: readonly string[];
  readonly expires_in?: number;
}

/** The body of a successful answer. @throws AuthError for any other answer, and for a body that cannot be read */
export async function resultOf<Result>(answer: Response): Promise<Result> {
  if (!answer.ok) throw await errorOf(answer);
  if (answer.status === 204) return undefined as Result;
  return (answer.json() as Promise<Result>).catch((cause) => {
    // A body that broke off counts as no answer.
    throw cause instanceof SyntaxError ? unexpectedAnswer(answer.status) : networkError(cause);
  });
}

/**
 * Whether a 401 refuses the token, rather than a password in the request, or the age or strength of the user's proof
 * (RFC 9470): `token_not_valid`, `not_authenticated`, or `dpop_proof_invalid` if the server now requires proofs with
 * access tokens. If the answer is not from this library, only the header `WWW-Authenticate` decides.
 */
export async function isTokenRefused(response: Response): Promise<boolean> {
  const { code } = await errorOf(response);
  return (
    /token_not|not_auth|unexpected|dpop/.test(code) &&
    !response.headers.get('WWW-Authenticate')?.includes('insufficient_user_authentication')
  );
}

/**
 * Reads the error from an answer, also in your own code: `if (!answer.ok) throw await errorOf(answer)`. If the answer
 * is not problem details with a code (RFC 9457), the error is `unexpected_answer` and has only its status and
 * `Retry-After`.
 */
export async function errorOf(response: Response): Promise<AuthError> {
  const { status, headers } = response;
  const retryAfter = Number(headers.get('Retry-After')) || undefined;
  const body = (await response.json().catch(() => undefined)) as Partial<Problem> | undefined;
  const { code, detail, errors, challenge, methods, expires_in: expiresIn } = body ?? {};
  return typeof code === 'string' && typeof detail === 'string'
    ? new AuthError(code, status, detail, { retryAfter, errors, challenge, methods, expiresIn })
    : unexpectedAnswer(status, { retryAfter });
}
