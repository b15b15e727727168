import { JwtAllauthError } from '../error.js';

/** Matches the names that environment variables with secrets usually have. */
const SECRET_VARIABLE = /(SECRET|PASSWORD|_KEYS?)$/;

/**
 * Describes an error for the person who ran the command: in one sentence, or for a SettingsError with one line for each
 * fault. The description has no stack trace, and none of the secrets that `redactSecrets` finds.
 */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return 'It failed without a reason.';
  // `service_unavailable` has the error of the database as its cause.
  const isOutage = error instanceof JwtAllauthError && error.cause instanceof Error;
  if (isOutage) return `The database cannot be used: ${errorReason(error.cause as Error)}`;
  // Errors of PostgreSQL have an SQLSTATE: a code of five characters. Those of Node.js, such as EROFS, begin with E.
  const isDatabaseError = 'code' in error && /^(?!E)[0-9A-Z]{5}$/.test(String(error.code));
  if (isDatabaseError)
    return `The database returned an error: ${errorReason(error)}; \`jwt-allauth check\` may show why`;
  return redactSecrets(error instanceof JwtAllauthError ? error.message : errorReason(error));
}

/**
 * The first line of an error's message. If there is no message, the error's code or name. For an AggregateError, the
 * reason of its first error.
 */
export function errorReason(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return errorReason(error.errors[0]);
  if (!(error instanceof Error)) return 'no reason given';
  const code = 'code' in error ? String(error.code) : '';
  return redactSecrets(error.message.split('\n')[0] || code || error.name);
}

/**
 * Replaces secrets in a text that code of the app or of a package may have written: the user and password of URLs, and
 * the values of secret environment variables. Values of fewer than 8 characters stay, because they can be part of
 * ordinary words.
 */
export function redactSecrets(text: string): string {
  const secrets = Object.entries(process.env).filter(([name]) => SECRET_VARIABLE.test(name));
  let clean = text.replace(/:\/\/[^\s/]*@/g, '://[redacted]@');
  for (const [, value] of secrets) if (value && value.length >= 8) clean = clean.replaceAll(value, '[redacted]');
  return clean;
}
