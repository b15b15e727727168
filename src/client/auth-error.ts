import type { ErrorCode, FieldError } from '../error.js';

/** What only the client can tell: nobody answered, something that is not ours did, or another user has signed in meanwhile. */
export type ClientErrorCode = 'network_error' | 'unexpected_answer' | 'user_changed';

/** Why a call to an endpoint failed. Programs compare `code`; people read `message`. */
export class AuthError extends Error {
  override readonly name = 'AuthError';

  /**
   * @param code the server's stable code (the README lists them); `network_error` if no answer came, `unexpected_answer` if
   * what came is none of ours, a proxy's page say; `user_changed` for a request that was not sent, as it was another user's
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

/** Stands for an answer that did not come. */
export function unreachable(cause: unknown): AuthError {
  return new AuthError('network_error', 0, 'The server could not be reached.', [], undefined, cause);
}
