import { STATUS_CODES } from 'node:http';

/**
 * The stable codes that an error answer carries in `code`. Programs compare these; people read `detail`.
 * The README lists when each one is sent.
 */
export const ErrorCode = {
  ValidationFailed: 'validation_failed',
  MalformedJson: 'malformed_json',
  BadRequest: 'bad_request',
  RefreshTokenMissing: 'refresh_token_missing',
  NotAuthenticated: 'not_authenticated',
  TokenNotValid: 'token_not_valid',
  RefreshTokenReused: 'refresh_token_reused',
  SessionExpired: 'session_expired',
  IncorrectCredentials: 'incorrect_credentials',
  NoActiveAccount: 'no_active_account',
  EmailNotVerified: 'email_not_verified',
  SecondFactorRequired: 'second_factor_required',
  PermissionDenied: 'permission_denied',
  CsrfFailed: 'csrf_failed',
  NotFound: 'not_found',
  SessionNotFound: 'session_not_found',
  Conflict: 'conflict',
  EmailAlreadyRegistered: 'email_already_registered',
  PayloadTooLarge: 'payload_too_large',
  UnsupportedMediaType: 'unsupported_media_type',
  TooManyRequests: 'too_many_requests',
  InternalError: 'internal_error',
  ServiceUnavailable: 'service_unavailable',
  InvalidSettings: 'invalid_settings',
  ReservedClaim: 'reserved_claim',
  ClaimNotSerializable: 'claim_not_serializable',
  TokenTooLarge: 'token_too_large',
  ControllerRefused: 'controller_refused',
} as const;

export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** What is wrong with one input field. Messages never contain the submitted value. */
export interface FieldError {
  /** Name of the field; empty when the whole body is meant. */
  readonly field: string;
  readonly messages: readonly string[];
}

/** The JSON body of an error answer (RFC 9457, `application/problem+json`). */
export interface ProblemDetails {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly FieldError[];
}

/**
 * How a refresh token that is not the live one of its session came to be presented:
 *
 * - `lost-response`: the immediate parent, within REFRESH_REUSE_GRACE: a retry, a second tab, a lost answer;
 * - `recovered`: made after the last rotation that the database knows: the database has lost a rotation (a failover, a
 *   backup that was restored), and the token is rotated on;
 * - `replay`: any other token of a live session: proof of theft, the session is revoked;
 * - `revoked-session`: a token of a session that has been ended;
 * - `unknown-session`: a token of a session that no longer has a row, or never belonged to this user.
 */
export type TokenReuse = 'lost-response' | 'recovered' | 'replay' | 'revoked-session' | 'unknown-session';

/**
 * What was wrong with a token, or with its session, for the log. The client gets `token_not_valid` in each case:
 *
 * - `malformed`: it is no token of ours, in its form, its header or its claims; `unknown-key`; `wrong-signature`;
 *   `expired`;
 * - `session-ended`, `no-active-user`: the session or the user that it names is gone;
 * - `one-time-key`: the key of a mailed link that is unknown, used, superseded or expired, or is missing;
 * - a `TokenReuse`.
 */
export type RefusalReason =
  | TokenReuse
  | 'malformed'
  | 'unknown-key'
  | 'wrong-signature'
  | 'expired'
  | 'session-ended'
  | 'no-active-user'
  | 'one-time-key';

/** How an error is answered: what it carries beside its code. */
export interface JwtAllauthErrorOptions {
  /** The HTTP status. */
  readonly status: number;
  /** A sentence for people, which is sent. */
  readonly detail: string;
  readonly errors?: readonly FieldError[];
  /** Seconds after which a retry makes sense; sent as `Retry-After`. */
  readonly retryAfter?: number;
  /** Logged, never sent. */
  readonly reason?: RefusalReason;
  readonly cause?: unknown;
  /** Further members of the problem (RFC 9457 §3.2), which are sent; `type`, `title` and `instance` among them. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/**
 * Every error that this library raises on purpose. It knows its HTTP status, a stable code and a sentence that is safe
 * to show: neither a submitted value nor a token nor SQL is ever part of it.
 */
export class JwtAllauthError extends Error {
  /** The HTTP status. */
  readonly httpCode: number;
  /** A sentence for people, which is sent. */
  readonly detail: string;
  readonly errors?: readonly FieldError[];
  /** Seconds after which a retry makes sense. */
  readonly retryAfter?: number;
  /** What was wrong with a token; logged, never sent. */
  readonly reason?: RefusalReason;
  readonly #members: Readonly<Record<string, unknown>> | undefined;

  /**
   * For an error of the app's own. Those of the library and of modules are made from their table (`error-table.ts`).
   *
   * @param code one of `ErrorCode`, or a code of the app's
   */
  constructor(
    readonly code: string,
    { status, detail, errors, retryAfter, reason, cause, members }: JwtAllauthErrorOptions,
  ) {
    super(detail, { cause });
    this.name = 'JwtAllauthError';
    this.httpCode = status;
    this.detail = detail;
    this.errors = errors;
    this.retryAfter = retryAfter;
    this.reason = reason;
    this.#members = members;
  }

  /** The problem details of this error, as they are sent (RFC 9457 §3). */
  toJSON(): ProblemDetails {
    return {
      type: 'about:blank',
      title: STATUS_CODES[this.httpCode] ?? 'Error',
      ...this.#members,
      status: this.httpCode,
      code: this.code,
      detail: this.detail,
      ...(this.errors && { errors: this.errors }),
    };
  }
}

/** Whether an error says that a token is not valid. */
export function isTokenNotValid(error: unknown): boolean {
  return error instanceof JwtAllauthError && error.code === ErrorCode.TokenNotValid;
}
