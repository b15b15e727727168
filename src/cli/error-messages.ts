import { JwtAllauthError } from '../error.js';

/** Variables whose values are secrets, by the ends of their names. */
const SECRET_VARIABLE = /(SECRET|PASSWORD|_KEYS?)$/;

/** Describes an error in a sentence for the person who ran the command: without a stack or a secret. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return 'It failed without a reason.';
  const isOutage = error instanceof JwtAllauthError && error.cause instanceof Error;
  if (isOutage) return `The database cannot be used: ${errorReason(error.cause as Error)}`;
  const isDatabaseError = 'code' in error && /^[0-9A-Z]{5}$/.test(String(error.code));
  if (isDatabaseError)
    return `The database returned an error: ${errorReason(error)}; \`jwt-allauth check\` may show why`;
  return redactSecrets(error instanceof JwtAllauthError ? error.message : errorReason(error));
}

/** The first line of an error's message. For an AggregateError, that of its first error. */
export function errorReason(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return errorReason(error.errors[0]);
  if (!(error instanceof Error)) return 'no reason given';
  const code = 'code' in error ? String(error.code) : '';
  return redactSecrets(error.message.split('\n')[0] || code || error.name);
}

/** Removes the passwords of URLs and the values of secret variables from a text that a module of the app wrote. */
export function redactSecrets(text: string): string {
  const secrets = Object.entries(process.env).filter(([name]) => SECRET_VARIABLE.test(name));
  let clean = text.replace(/:\/\/[^\s/]*@/g, '://[redacted]@');
  for (const [, value] of secrets) if (value && value.length >= 8) clean = clean.replaceAll(value, '[redacted]');
  return clean;
}
