import type { ErrorCode, FieldError } from '../error.js';

/** The codes that the client adds to those of the server. */
export type ClientErrorCode =
  /** No answer came. */
  | 'network_error'
  /** An answer came that is not from this server, a proxy's page for example. */
  | 'unexpected_answer'
  /** The request was not sent, because another user has signed in. */
  | 'user_changed'
  /** The browser has refused the cookie with the refresh token. */
  | 'cookie_not_kept'
  /** The `store` of the refresh token threw: see `cause`. */
  | 'store_failed';

/** Why a call to an endpoint failed. Programs compare `code`; people read `message`. */
export class AuthError extends Error {
  override readonly name = 'AuthError';

  /**
   * @param code the server's stable code (the README lists them), or a `ClientErrorCode`
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
    return !this.status || this.status >= 502;
  }
}

/**
 * Whether a refresh failed because there is nothing to refresh any more: the session has ended, or no refresh token
 * came.
 */
export function isEnd({ code, status }: AuthError): boolean {
  return code === 'refresh_token_missing' || (status === 401 && code !== 'unexpected_answer');
}

/** Stands for an answer that is not from our server. */
export function unexpected(status: number, retryAfter?: number, cause?: unknown): AuthError {
  return new AuthError('unexpected_answer', status, `The server answered ${status}.`, [], retryAfter, cause);
}

/** Stands for an answer that did not come. */
export function unreachable(cause?: unknown): AuthError {
  return new AuthError('network_error', 0, 'The server could not be reached.', [], undefined, cause);
}
