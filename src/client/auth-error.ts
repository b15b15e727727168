import type { ErrorCode, FieldError } from '../error.js';

/** The codes that only the client uses. */
export type ClientErrorCode =
  /** No answer arrived, or it broke off. */
  | 'network_error'
  /** The answer does not have the form of this library, for example a proxy's error page. */
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
  /** The fields that are not valid, for `validation_failed`. */
  readonly errors: readonly FieldError[];
  /** Seconds to wait before a retry, for 429 and 503. */
  readonly retryAfter?: number | undefined;
  /** Identifies the sign-in that a second factor completes, for `second_factor_required`. */
  readonly challenge?: string | undefined;
  /** The methods with which the user can answer the challenge: `totp`, `recovery_code`, `passkey`, `totp_setup`. */
  readonly methods?: readonly string[] | undefined;
  /** Seconds until the challenge expires. */
  readonly expiresIn?: number | undefined;

  /**
   * @param code the server's stable code (see docs/errors.md) or a `ClientErrorCode`
   * @param status the HTTP status of the answer. Without an answer 0, but 401 for `user_changed` and 400 for
   * `cookie_not_kept`
   * @param message the server's `detail`, or the client's own sentence for a `ClientErrorCode`
   */
  constructor(
    readonly code: ErrorCode | ClientErrorCode | (string & {}),
    readonly status: number,
    message: string,
    { cause, errors = [], ...details }: AuthErrorDetails = {},
  ) {
    super(message, { cause });
    this.errors = errors;
    Object.assign(this, details);
  }

  /**
   * Whether a retry may help soon: no answer arrived, the `store` failed, or the server or a proxy is overloaded or
   * down (502 and above). False for 429: before a retry, wait `retryAfter` seconds.
   */
  get isTemporary(): boolean {
    return !this.status || this.status >= 502;
  }
}

/** What only some errors have. */
export type AuthErrorDetails = Partial<
  Pick<AuthError, 'errors' | 'retryAfter' | 'challenge' | 'methods' | 'expiresIn'>
> & { readonly cause?: unknown };

/**
 * Whether a refresh or a logout failed because the session has ended or there is no refresh token. The session goes on
 * if the app requires a proof before a refresh (`reauthentication_required`, `second_factor_required`), or the server a
 * nonce (`use_dpop_nonce`).
 */
export function isSessionEnd({ code, status }: AuthError): boolean {
  return code === 'refresh_token_missing' || (status === 401 && !/_required$|nonce|unexpected/.test(code));
}

/** The error for an answer that does not have the form of this library. */
export function unexpectedAnswer(status: number, details?: AuthErrorDetails): AuthError {
  return new AuthError('unexpected_answer', status, `Unexpected answer (${status}).`, details);
}

/** The error if no answer arrived, or it broke off. */
export function networkError(cause?: unknown): AuthError {
  return new AuthError('network_error', 0, 'No answer.', { cause });
}
