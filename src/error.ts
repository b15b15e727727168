import { STATUS_CODES } from 'node:http';

/**
 * The stable codes of errors, sent as `code`. Programs compare the code; `detail` is for people. `docs/errors.md` says
 * when each code is sent.
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
  ChallengeNotValid: 'challenge_not_valid',
  ReauthenticationRequired: 'reauthentication_required',
  PermissionDenied: 'permission_denied',
  CsrfFailed: 'csrf_failed',
  NotFound: 'not_found',
  SessionNotFound: 'session_not_found',
  Conflict: 'conflict',
  EmailAlreadyRegistered: 'email_already_registered',
  FieldAlreadyTaken: 'field_already_taken',
  LastSignInMethod: 'last_sign_in_method',
  PayloadTooLarge: 'payload_too_large',
  UnsupportedMediaType: 'unsupported_media_type',
  TooManyRequests: 'too_many_requests',
  InternalError: 'internal_error',
  ServiceUnavailable: 'service_unavailable',
  DpopProofMissing: 'dpop_proof_missing',
  DpopProofInvalid: 'dpop_proof_invalid',
  UseDpopNonce: 'use_dpop_nonce',
  InvalidSettings: 'invalid_settings',
  ReservedClaim: 'reserved_claim',
  ClaimNotSerializable: 'claim_not_serializable',
  TokenTooLarge: 'token_too_large',
  ControllerRefused: 'controller_refused',
} as const;

export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** What is wrong with one input field. Messages never contain the submitted value. */
export interface FieldError {
  /** Name of the field; empty if the message concerns the whole body. */
  readonly field: string;
  readonly messages: readonly string[];
}

/** The JSON body of an error response (RFC 9457, `application/problem+json`). */
export interface ProblemDetails {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly FieldError[];
}

/**
 * Why a refresh token was presented that is not the live token of its session:
 *
 * - `lost-response`: it is the previous token, within REFRESH_REUSE_GRACE: a retry, a second tab, a lost response;
 * - `recovered`: it is newer than the last rotation in the database, which has lost a rotation (failover, restored
 *   backup). The token is accepted and rotated;
 * - `replay`: it is any other token of a live session, a sign of theft. The session is revoked;
 * - `revoked-session`: its session was ended;
 * - `unknown-session`: its session has no row any more, or the row belongs to another user.
 */
export type TokenReuse = 'lost-response' | 'recovered' | 'replay' | 'revoked-session' | 'unknown-session';

/**
 * Why a DPoP proof was refused (RFC 9449 §4.3):
 *
 * - `proof-missing`: the request has none, and its session is bound to a key or DPOP is `required`;
 * - `proof-malformed`: its header or claims are not those of a proof, or its key or algorithm cannot be used;
 * - `proof-wrong-signature`;
 * - `proof-for-another-method`, `proof-for-another-url`, `proof-for-another-token`: it was made for another request;
 * - `proof-of-another-key`: its key is not the one of the session;
 * - `proof-replayed`: it was used before.
 */
export type ProofRefusal =
  | 'proof-missing'
  | 'proof-malformed'
  | 'proof-wrong-signature'
  | 'proof-for-another-method'
  | 'proof-for-another-url'
  | 'proof-for-another-token'
  | 'proof-of-another-key'
  | 'proof-replayed';

/**
 * Why a token was refused, for the log. The client gets `token_not_valid`, or `refresh_token_reused` for `replay`:
 *
 * - `malformed`: its form, header or claims are not those of a token of this library;
 * - `unknown-key`, `wrong-signature`, `expired`;
 * - `session-ended`, `no-active-user`: its session has ended, or its user is deactivated or deleted;
 * - `one-time-key`: the key of a mailed link is missing, unknown, used, superseded or expired;
 * - a `TokenReuse`, or a `ProofRefusal` with the code `dpop_proof_invalid`.
 */
export type RefusalReason =
  | TokenReuse
  | ProofRefusal
  | 'malformed'
  | 'unknown-key'
  | 'wrong-signature'
  | 'expired'
  | 'session-ended'
  | 'no-active-user'
  | 'one-time-key';

/** What a 401 asks of the user of a valid access token: a newer proof of identity, or a stronger one (RFC 9470 §3). */
export type StepUp =
  | {
      /** How old the proof may be, in seconds. */
      readonly maxAge: number;
    }
  | {
      /** The required authentication context class. `mfa`: a second factor. */
      readonly acrValues: string;
    };

/** What a 401 says about a DPoP proof, in `WWW-Authenticate` (RFC 9449 §5 and §8). */
export interface DpopFault {
  readonly error: 'invalid_dpop_proof' | 'use_dpop_nonce';
  /** The nonce for the next proof, sent as `DPoP-Nonce`. */
  readonly nonce?: string;
}

/** The properties of a JwtAllauthError, except its code. */
export interface JwtAllauthErrorOptions {
  /** The HTTP status. */
  readonly status: number;
  /** A sentence for people. It is sent to the client. */
  readonly detail: string;
  readonly errors?: readonly FieldError[];
  /** Seconds after which a retry makes sense, sent as `Retry-After`. */
  readonly retryAfter?: number;
  /** Why a token or a proof was refused. Logged. A `ProofRefusal` is also sent, as a member. */
  readonly reason?: RefusalReason;
  /** For a 401: what is asked of the user. Sent as `WWW-Authenticate`. */
  readonly stepUp?: StepUp;
  /** For a 401: what is wrong with a DPoP proof. Sent as `WWW-Authenticate`. */
  readonly dpop?: DpopFault;
  /**
   * For a 401: whether it refuses the access token of the request. If so, `WWW-Authenticate` has
   * `error="invalid_token"` (RFC 6750 §3.1). Default: true.
   */
  readonly isAboutToken?: boolean;
  readonly cause?: unknown;
  /** Additional members of the problem details (RFC 9457 §3.2), which are sent. May replace `type` and `title`. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/**
 * An error that the library throws on purpose. It has an HTTP status, a stable code, and a sentence that contains no
 * submitted value, no token and no SQL.
 */
export class JwtAllauthError extends Error {
  /** The HTTP status. */
  readonly httpCode: number;
  /** A sentence for people. It is sent to the client. */
  readonly detail: string;
  readonly errors?: readonly FieldError[];
  /** Seconds after which a retry makes sense. */
  readonly retryAfter?: number;
  /** Why a token or a proof was refused. Logged. A `ProofRefusal` is also sent, as a member. */
  readonly reason?: RefusalReason;
  /** For a 401: what is asked of the user. Sent as `WWW-Authenticate`. */
  readonly stepUp?: StepUp;
  /** For a 401: what is wrong with a DPoP proof. Sent as `WWW-Authenticate`. */
  readonly dpop?: DpopFault;
  /** For a 401: whether it refuses the access token of the request. */
  readonly isAboutToken: boolean;
  readonly #members: Readonly<Record<string, unknown>> | undefined;

  /**
   * For errors of the app. The library and its modules make their errors from tables (`error-table.ts`).
   *
   * @param code one of `ErrorCode`, or the app's own code
   */
  constructor(
    readonly code: string,
    { status, detail, errors, retryAfter, reason, stepUp, dpop, isAboutToken, cause, members }: JwtAllauthErrorOptions,
  ) {
    super(detail, cause === undefined ? undefined : { cause });
    this.name = 'JwtAllauthError';
    this.httpCode = status;
    this.detail = detail;
    this.errors = errors;
    this.retryAfter = retryAfter;
    this.reason = reason;
    this.stepUp = stepUp;
    this.dpop = dpop;
    this.isAboutToken = isAboutToken ?? true;
    this.#members = members;
  }

  /** Whether the problem details have an additional member of this name. */
  hasMember(name: string): boolean {
    return this.#members !== undefined && Object.hasOwn(this.#members, name);
  }

  /** The problem details of this error, as they are sent to the client (RFC 9457 §3). */
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
