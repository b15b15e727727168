import type { ErrorCode, FieldError } from '../error.js';

/** The codes that only the client uses. */
export type ClientErrorCode =
  /** No answer arrived. */
  | 'network_error'
  /** The answer is not from this server, for example a proxy's error page. */
  | 'unexpected_answer'
  /** The request was not sent because another user has signed in. */
  | 'user_changed'
  /** The browser did not store the cookie with the refresh token. */
  | 'cookie_not_kept'
  /** The `store` of the refresh token threw an error; see `cause`. */
  | 'store_failed';

/** The error of a call to the server. Programs compare `code`; people read `message`. */
export class AuthError extends Error {
  override readonly name = 'AuthError';

  /**
   * @param code the server's stable code (see docs/errors.md) or a `ClientErrorCode`
   * @param status the HTTP status; 0 without an answer
   * @param message the server's `detail`
   * @param errors the fields that are not valid, for `validation_failed`
   * @param retryAfter seconds to wait before a retry, for 429 and 503
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

  /** Whether a retry may succeed: there was no answer, or the server is overloaded or down. */
  get isTemporary(): boolean {
    return !this.status || this.status >= 502;
  }
}

/** Whether a refresh failed because the session has ended or there is no refresh token. */
export function isSessionEnd({ code, status }: AuthError): boolean {
  return code === 'refresh_token_missing' || (status === 401 && code !== 'unexpected_answer');
}

/** The error for an answer that is not from the server. */
export function unexpectedAnswer(status: number, retryAfter?: number, cause?: unknown): AuthError {
  return new AuthError('unexpected_answer', status, `The server answered ${status}.`, [], retryAfter, cause);
}

/** The error if no answer arrived. */
export function networkError(cause?: unknown): AuthError {
  return new AuthError('network_error', 0, 'The server could not be reached.', [], undefined, cause);
}
