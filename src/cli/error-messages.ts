import { JwtAllauthError } from '../error.js';

/** Variables whose values are secrets, by the ends of their names. */
const SECRET_VARIABLE = /(SECRET|PASSWORD|_KEYS?)$/;

/** What went wrong, in a sentence for who typed the command: never a stack, never a secret. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return 'What failed gives no reason.';
  const isOutage = error instanceof JwtAllauthError && error.cause instanceof Error;
  if (isOutage) return `The database cannot be used: ${errorReason(error.cause as Error)}`;
  const isRefusal = 'code' in error && /^[0-9A-Z]{5}$/.test(String(error.code));
  if (isRefusal) return `The database refuses: ${errorReason(error)}; \`jwt-allauth check\` may tell why`;
  return redactSecrets(error instanceof JwtAllauthError ? error.message : errorReason(error));
}

/** The first line of an error's message, or of the first of many. */
export function errorReason(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return errorReason(error.errors[0]);
  if (!(error instanceof Error)) return 'no reason given';
  const code = 'code' in error ? String(error.code) : '';
  return redactSecrets(error.message.split('\n')[0] || code || error.name);
}

/**
 * A text without the passwords of addresses and the values of variables that are secret: modules of the app wrote it.
 */
export function redactSecrets(text: string): string {
  const secrets = Object.entries(process.env).filter(([name]) => SECRET_VARIABLE.test(name));
  let clean = text.replace(/:\/\/[^\s/]*@/g, '://[redacted]@');
  for (const [, value] of secrets) if (value && value.length >= 8) clean = clean.replaceAll(value, '[redacted]');
  return clean;
}
