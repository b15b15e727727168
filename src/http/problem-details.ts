import type { ValidationError } from 'class-validator';
import { HttpError } from 'routing-controllers';
import { isDatabaseUnavailable } from '../database/unavailability.js';
import { ErrorCode, type FieldError, JwtAllauthError } from '../error.js';
import { authError, ERRORS, serviceUnavailable } from '../error-table.js';
import { statusOf } from './error-status.js';
import { notAnObject } from './read-body.js';

/** The code for an error of the app or of a framework, by status. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  401: ErrorCode.NotAuthenticated,
  403: ErrorCode.PermissionDenied,
  404: ErrorCode.NotFound,
  409: ErrorCode.Conflict,
  413: ErrorCode.PayloadTooLarge,
  415: ErrorCode.UnsupportedMediaType,
  429: ErrorCode.TooManyRequests,
  503: ErrorCode.ServiceUnavailable,
};

function codeOf(status: number): ErrorCode {
  return CODES[status] ?? (status >= 500 ? ErrorCode.InternalError : ErrorCode.BadRequest);
}

/** Errors of routing-controllers itself. Their messages repeat submitted values or the URL. */
const FRAMEWORK_ERRORS = [
  'AccessDeniedError',
  'AuthorizationRequiredError',
  'ParamNormalizationError',
  'ParamRequiredError',
  'ParameterParseJsonError',
];

/**
 * The error to send. An error of the library is sent as it is. For an HTTP error that the app made for the client, the
 * result has its message and its members. For any other error, the result contains nothing that was submitted.
 */
export function toProblem(error: unknown): JwtAllauthError {
  if (error instanceof JwtAllauthError) return error;
  if (isDatabaseUnavailable(error)) return serviceUnavailable(error);
  if (hasValidationErrors(error)) {
    return authError('validation_failed', { errors: error.errors.flatMap((fault) => toFieldErrors(fault)) });
  }
  const status = statusOf(error);
  if ((error as { type?: unknown } | null | undefined)?.type === 'entity.parse.failed')
    return malformedBody(error as { body?: unknown });
  const members = membersOf(error, status);
  const code = members.code ?? codeOf(status);
  const detail = members.detail ?? detailOf(error, status);
  return new JwtAllauthError(code, { status, detail, cause: error, members: members.others });
}

/** The error for a body that the parser refused: invalid JSON, or JSON that is neither an object nor an array. */
function malformedBody({ body }: { readonly body?: unknown }): JwtAllauthError {
  try {
    JSON.parse(String(body));
    return notAnObject();
  } catch {
    return authError('malformed_json');
  }
}

/**
 * The message of an error that the app threw for the client: an HttpError of its own, or an error of http-errors that
 * may be shown. For everything else the sentence of the error table. An error with a `type` or a `code` comes from a
 * framework, whose messages repeat submitted values.
 */
function detailOf(error: unknown, status: number): string {
  const isFromApp = error instanceof HttpError && !FRAMEWORK_ERRORS.includes(error.name);
  if (status < 500 && (isFromApp || isExposed(error)) && error.message) return error.message;
  return ERRORS[codeOf(status)].detail;
}

function isExposed(error: unknown): error is Error {
  const { expose, type, code } = (error ?? {}) as Record<string, unknown>;
  return error instanceof Error && expose === true && type === undefined && code === undefined;
}

/** Members of an error that are internal or must not be sent. */
const INTERNAL_MEMBERS = ['name', 'message', 'stack', 'cause', 'status', 'statusCode', 'httpCode', 'errors'];

/**
 * The members that an HttpError of the app returns from `toJSON`, without INTERNAL_MEMBERS. Nothing of a 5xx error is
 * sent.
 */
function membersOf(
  error: unknown,
  status: number,
): { code?: string; detail?: string; others?: Record<string, unknown> } {
  const { toJSON } = (error ?? {}) as { toJSON?: unknown };
  if (!(error instanceof HttpError) || typeof toJSON !== 'function' || status >= 500) return {};
  const json: unknown = toJSON.call(error);
  if (typeof json !== 'object' || json === null) return {};
  const entries = Object.entries(json).filter(([name]) => !INTERNAL_MEMBERS.includes(name));
  const { code, detail, ...others } = Object.fromEntries(entries);
  return { ...(typeof code === 'string' && { code }), ...(typeof detail === 'string' && { detail }), others };
}

function hasValidationErrors(error: unknown): error is { errors: ValidationError[] } {
  const { errors } = (error ?? {}) as { errors?: unknown };
  return Array.isArray(errors) && errors.length > 0 && errors.every((fault) => typeof fault?.property === 'string');
}

function toFieldErrors({ property, constraints, children }: ValidationError, path = ''): FieldError[] {
  const field = path ? `${path}.${property}` : property;
  const ownFaults = constraints ? [{ field, messages: Object.values(constraints) }] : [];
  return [...ownFaults, ...(children ?? []).flatMap((child) => toFieldErrors(child, field))];
}
