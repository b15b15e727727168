import type { ErrorCode, FieldError, ProblemDetails } from '../error.js';

/** What only the client can tell: nobody answered, or something that is not ours did. */
export type ClientErrorCode = 'network_error' | 'unexpected_answer';

/** Why a call to an endpoint failed. Programs compare `code`; people read `message`. */
export class AuthError extends Error {
  override readonly name = 'AuthError';

  /**
   * @param code the server's stable code (the README lists them); `network_error` if no answer came, `unexpected_answer` if
   * what came is none of ours, a proxy's page say
   * @param status the HTTP status; 0 without an answer
   * @param message the server's `detail`
   * @param errors what is wrong with which field, for `validation_failed`
   * @param retryAfter seconds after which a retry makes sense, for 429 and 503
   */
  constructor(
    readonly code: ErrorCode | ClientErrorCode | (string & {}),
    readonly status: number,
    message: string,
    readonly errors: readonly FieldError[] = [],
    readonly retryAfter?: number,
    cause?: unknown,
  ) {
    super(message, { cause });
  }

  /** Whether the same call may succeed a little later: nobody answered, or the server is overloaded or away. */
  get isPassing(): boolean {
    return this.status === 0 || this.status >= 502;
  }
}

/** The error that an answer stands for. It keeps nothing of an answer that is not problem details (RFC 9457). */
export async function errorOf(response: Response): Promise<AuthError> {
  const { status, headers } = response;
  const retryAfter = Number(headers.get('Retry-After')) || undefined;
  const body = (await response.json().catch(() => undefined)) as Partial<ProblemDetails> | undefined;
  return typeof body?.code === 'string'
    ? new AuthError(body.code, status, String(body.detail), body.errors, retryAfter)
    : new AuthError('unexpected_answer', status, `The server answered ${status}.`, [], retryAfter);
}
