import { ErrorCode, JwtAllauthError, type JwtAllauthErrorOptions, type RefusalReason } from './error.js';

/** Status, default sentence and headers of an error. Each 503 has `retryAfter`. */
export interface ErrorRow
  extends Pick<JwtAllauthErrorOptions, 'status' | 'detail' | 'retryAfter' | 'isAboutToken' | 'dpop'> {
  /**
   * The code that is sent, if it differs from the name in the table: two modules may send the same code with different
   * statuses. Default: the name.
   */
  readonly code?: string;
}

/** The errors of the library or of a module, by code. */
export type ErrorTable<Code extends string = string> = Readonly<Record<Code, ErrorRow>>;

/**
 * Options of an error from a table. A `detail` replaces the sentence of the table. It is sent to the client, and must
 * not contain submitted values.
 */
export type TableErrorOptions = Partial<Omit<JwtAllauthErrorOptions, 'status'>>;

/** Makes an error by its code. Its status comes from the table. */
export type ErrorMaker<Code extends string> = (code: Code, options?: TableErrorOptions) => JwtAllauthError;

/** The function that makes the errors of a table. */
export function errorsOf<Code extends string>(table: ErrorTable<Code>): ErrorMaker<Code> {
  return (name, options) => {
    const { code = name, ...row }: ErrorRow = table[name];
    return new JwtAllauthError(code, { ...row, ...options });
  };
}

/** The errors that the library throws on purpose. */
export const ERRORS: ErrorTable<ErrorCode> = {
  [ErrorCode.ValidationFailed]: { status: 400, detail: 'The input is not valid; see errors.' },
  [ErrorCode.MalformedJson]: { status: 400, detail: 'The body is not well-formed JSON.' },
  [ErrorCode.BadRequest]: { status: 400, detail: 'The request is not valid.' },
  [ErrorCode.RefreshTokenMissing]: { status: 400, detail: 'The request has no refresh token.' },
  [ErrorCode.NotAuthenticated]: { status: 401, detail: 'The request needs an access token.' },
  [ErrorCode.TokenNotValid]: { status: 401, detail: 'The token is not valid.' },
  [ErrorCode.RefreshTokenReused]: {
    status: 401,
    detail: 'The refresh token was used before. The session has been ended; sign in again.',
  },
  [ErrorCode.SessionExpired]: { status: 401, detail: 'The session has expired; sign in again.' },
  [ErrorCode.IncorrectCredentials]: {
    status: 401,
    detail: 'The credentials are not correct.',
    isAboutToken: false,
  },
  [ErrorCode.NoActiveAccount]: { status: 401, detail: 'The account is not active.', isAboutToken: false },
  [ErrorCode.EmailNotVerified]: {
    status: 401,
    detail: 'The e-mail address is not confirmed yet; open the link in the mail, or request a new one.',
    isAboutToken: false,
  },
  [ErrorCode.SecondFactorRequired]: {
    status: 401,
    detail: 'A second factor is required; answer the challenge.',
    isAboutToken: false,
  },
  [ErrorCode.ChallengeNotValid]: {
    status: 401,
    detail: 'The challenge is not valid any more; sign in again.',
    isAboutToken: false,
  },
  [ErrorCode.ReauthenticationRequired]: { status: 401, detail: 'Authenticate again to do this.', isAboutToken: false },
  [ErrorCode.DpopProofMissing]: {
    status: 400,
    detail: 'The request has no DPoP proof, which every sign-in needs here.',
  },
  [ErrorCode.DpopProofInvalid]: {
    status: 401,
    detail: 'The DPoP proof is not valid.',
    dpop: { error: 'invalid_dpop_proof' },
  },
  [ErrorCode.UseDpopNonce]: {
    status: 401,
    detail: "The instant of the DPoP proof is too far from the server's clock; use the nonce of this answer.",
    dpop: { error: 'use_dpop_nonce' },
  },
  [ErrorCode.PermissionDenied]: { status: 403, detail: 'You are not allowed to do this.' },
  [ErrorCode.CsrfFailed]: { status: 403, detail: 'The request comes from an origin that is not trusted.' },
  [ErrorCode.NotFound]: { status: 404, detail: 'The requested URL does not exist.' },
  [ErrorCode.SessionNotFound]: { status: 404, detail: 'You have no such session.' },
  [ErrorCode.Conflict]: { status: 409, detail: 'The request conflicts with existing data.' },
  [ErrorCode.EmailAlreadyRegistered]: { status: 409, detail: 'An account with this e-mail address exists already.' },
  [ErrorCode.FieldAlreadyTaken]: { status: 409, detail: 'Another account has this value already; see errors.' },
  [ErrorCode.LastSignInMethod]: { status: 409, detail: 'This is your last way to sign in; add another one first.' },
  [ErrorCode.PayloadTooLarge]: { status: 413, detail: 'The body is too large.' },
  [ErrorCode.UnsupportedMediaType]: { status: 415, detail: 'The body must be application/json.' },
  [ErrorCode.TooManyRequests]: { status: 429, detail: 'There were too many requests; try again later.' },
  [ErrorCode.InternalError]: { status: 500, detail: 'Something went wrong.' },
  [ErrorCode.InvalidSettings]: { status: 500, detail: 'The settings cannot be used.' },
  [ErrorCode.ReservedClaim]: { status: 500, detail: 'A claim has a reserved name.' },
  [ErrorCode.ClaimNotSerializable]: { status: 500, detail: 'A claim has a value that JSON cannot represent.' },
  [ErrorCode.TokenTooLarge]: { status: 500, detail: 'The refresh token is too large for a cookie.' },
  [ErrorCode.ControllerRefused]: { status: 500, detail: 'A controller cannot be served as it is.' },
  [ErrorCode.ServiceUnavailable]: { status: 503, detail: 'The service is not available right now.', retryAfter: 5 },
};

/** Makes an error of the library. */
export const authError = errorsOf(ERRORS);

/** 401: a token, or the key of a mailed link, is not valid for this reason. */
export function tokenNotValid(reason: RefusalReason): JwtAllauthError {
  return authError('token_not_valid', { reason });
}

/**
 * 401: the user authenticated too long ago for this request (RFC 9470).
 *
 * @param maxAge how old the proof may be, in seconds
 */
export function reauthenticationRequired(maxAge: number): JwtAllauthError {
  return authError('reauthentication_required', { stepUp: { maxAge } });
}

/** 503: the database or another dependency is unreachable or overloaded. The client can retry the same request. */
export function serviceUnavailable(cause?: unknown): JwtAllauthError {
  return authError('service_unavailable', { cause });
}
