import type { ValidationError } from 'class-validator';
import { HttpError } from 'routing-controllers';
import { isDatabaseUnavailable } from '../database/unavailability.js';
import { ErrorCode, type FieldError, JwtAllauthError, serviceUnavailable, validationFailed } from '../error.js';

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

const DETAILS: Readonly<Record<number, string>> = {
  400: 'The request is not valid.',
  401: 'This needs an access token.',
  403: 'You are not allowed to do this.',
  404: 'There is nothing at this address.',
  413: 'The body is too large.',
  415: 'The body must be application/json.',
  503: 'The service is not available right now.',
};

/** Errors of routing-controllers itself: their messages repeat what was sent, or the address. */
const FRAMEWORK_ERRORS = [
  'AccessDeniedError',
  'AuthorizationRequiredError',
  'ParamNormalizationError',
  'ParamRequiredError',
  'ParameterParseJsonError',
];

/** Errors of the body parser, by their `type`. */
const BODY_CODES: Readonly<Record<string, [code: string, status: number, detail: string]>> = {
  'entity.parse.failed': [ErrorCode.MalformedJson, 400, 'The body is not well-formed JSON.'],
};

/** What is sent for an error: ours as it is, one of the app's or of a framework without anything that was submitted. */
export function toProblem(error: unknown): JwtAllauthError {
  if (error instanceof JwtAllauthError) return error;
  if (isDatabaseUnavailable(error)) return serviceUnavailable(error);
  if (hasValidationErrors(error)) return validationFailed(error.errors.flatMap((fault) => toFieldErrors(fault)));
  const { status, type } = describe(error);
  const body = BODY_CODES[type];
  if (body) return new JwtAllauthError(...body);
  const code = CODES[status] ?? (status >= 500 ? ErrorCode.InternalError : ErrorCode.BadRequest);
  return new JwtAllauthError(code, status, detailOf(error, status), { cause: error });
}

function describe(error: unknown): { status: number; type: string } {
  const { httpCode, status, type } = (error ?? {}) as { httpCode?: unknown; status?: unknown; type?: unknown };
  const candidate = Number(httpCode ?? status);
  const isError = Number.isInteger(candidate) && candidate >= 400 && candidate <= 599;
  return { status: isError ? candidate : 500, type: String(type) };
}

/** The app's own words where it threw an HttpError of its own; a set sentence everywhere else. */
function detailOf(error: unknown, status: number): string {
  const isOfTheApp = error instanceof HttpError && status < 500 && !FRAMEWORK_ERRORS.includes(error.name);
  if (isOfTheApp && error.message) return error.message;
  return DETAILS[status] ?? (status >= 500 ? 'Something went wrong.' : 'The request cannot be served.');
}

function hasValidationErrors(error: unknown): error is { errors: ValidationError[] } {
  const { errors } = (error ?? {}) as { errors?: unknown };
  return Array.isArray(errors) && errors.length > 0 && errors.every((fault) => typeof fault?.property === 'string');
}

function toFieldErrors({ property, constraints, children }: ValidationError, path = ''): FieldError[] {
  const field = path ? `${path}.${property}` : property;
  const own = constraints ? [{ field, messages: Object.values(constraints) }] : [];
  return [...own, ...(children ?? []).flatMap((child) => toFieldErrors(child, field))];
}
