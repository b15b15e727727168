import { isDatabaseError } from '../database/database-error.js';
import { nestedMembers } from './nested-members.js';
import { type RequestWithSecrets, secretsOf } from './request-secrets.js';

/** Members whose values are secrets, such as the headers of a request that the app has made. */
const SECRET_MEMBERS = /passw|token|secret|authorization|cookie|credential|api[-_]?key/i;

/** Credentials within a text: of a header, or of an address. */
const CREDENTIALS = /\b(?:Bearer|Basic)\s+\S{6,}|(?<=:\/\/)[^\s/@]*:[^\s/@]+(?=@)/gi;

/** Objects that are looked at. An error with more is taken for one that has a secret. */
const MOST_OBJECTS = 5000;

/**
 * An error as a logger may have it: the error itself, unless it or what hangs on it has a secret, of this request (a
 * token, a cookie, a password) or of one that the app has made, or it comes from the database, whose errors have whole
 * rows in them. Then it is a copy with kind, first line and frames.
 */
export function loggableError(error: Error, request: RequestWithSecrets): Error {
  const secrets = secretsOf(request);
  if (!isDatabaseError(error) && !shows(error, secrets)) return error;
  const copy = new Error(redact(error.message.split('\n')[0] ?? '', secrets));
  copy.name = error.name;
  const frames = error.stack?.split('\n').filter((line) => line.trimStart().startsWith('at ')) ?? [];
  copy.stack = [`${copy.name}: ${copy.message}`, ...frames].join('\n');
  return copy;
}

/** Whether a logger that follows the properties and causes of an error would print a secret. */
function shows(error: Error, secrets: readonly string[]): boolean {
  let objects = 0;
  try {
    for (const { name, value } of nestedMembers(error)) {
      if (isSecret(name, value, secrets)) return true;
      if (typeof value === 'object' && value !== null && ++objects > MOST_OBJECTS) return true;
    }
    return false;
  } catch {
    return true; // it cannot be looked at
  }
}

function isSecret(name: string, value: unknown, secrets: readonly string[]): boolean {
  if (typeof value !== 'string') return false;
  if (value !== '' && SECRET_MEMBERS.test(name)) return true;
  return value.search(CREDENTIALS) >= 0 || secrets.some((secret) => value.includes(secret));
}

function redact(text: string, secrets: readonly string[]): string {
  return secrets
    .reduce((redacted, secret) => redacted.replaceAll(secret, '[redacted]'), text)
    .replace(CREDENTIALS, '[redacted]');
}
