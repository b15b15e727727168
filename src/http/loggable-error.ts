import { isDatabaseError } from '../database/database-error.js';
import { nestedMembers } from './nested-members.js';
import { type RequestWithSecrets, secretsOf } from './request-secrets.js';

/** Members whose values are secrets, for example headers of a request that the app sent. */
const SECRET_MEMBERS = /passw|token|secret|authorization|cookie|credential|api[-_]?key/i;

/** Credentials inside a text: of a header or of a URL. */
const CREDENTIALS = /\b(?:Bearer|Basic)\s+\S{6,}|(?<=:\/\/)[^\s/@]*:[^\s/@]+(?=@)/gi;

/** Maximum number of objects that are searched. An error with more is treated as one that contains a secret. */
const MAX_OBJECTS = 5000;

/**
 * An error that is safe to log: the error itself, or a copy with its name, the first line of its message and its stack
 * frames. The copy is used if the error or anything it refers to contains a secret of this request (a token, cookie or
 * password) or of a request that the app sent, and for database errors, which contain whole rows.
 */
export function loggableError(error: Error, request: RequestWithSecrets): Error {
  const secrets = secretsOf(request);
  if (!isDatabaseError(error) && !containsSecret(error, secrets)) return error;
  const copy = new Error(redact(error.message.split('\n')[0] ?? '', secrets));
  copy.name = error.name;
  copy.stack = [`${copy.name}: ${copy.message}`, ...(framesOf(error) ?? [])].join('\n');
  return copy;
}

/**
 * The fields of a log line about an error: name, message, stack, and the error itself as `err`, without secrets. For a
 * thrown value that is not an Error, only its type.
 */
export function errorFields(error: unknown, request: RequestWithSecrets): object {
  if (!(error instanceof Error)) return { error: typeof error };
  const loggable = loggableError(error, request);
  return {
    error: loggable.name,
    reason: loggable.message.split('\n')[0],
    stack: framesOf(loggable)?.join('\n'),
    err: loggable,
  };
}

function framesOf({ stack }: Error): string[] | undefined {
  return stack?.split('\n').filter((line) => line.trimStart().startsWith('at '));
}

/** Whether a logger that prints the properties and causes of an error would print a secret. */
function containsSecret(error: Error, secrets: readonly string[]): boolean {
  let objects = 0;
  try {
    for (const { name, value } of nestedMembers(error)) {
      if (isSecret(name, value, secrets)) return true;
      if (typeof value === 'object' && value !== null && ++objects > MAX_OBJECTS) return true;
    }
    return false;
  } catch {
    return true; // it cannot be inspected
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
