import { inspect } from 'node:util';
import { isDatabaseError } from '../database/database-error.js';
import type { HttpRequest } from './http-message.js';

/** Fields of a body whose values are secrets. */
const SECRET_FIELDS = /password|token|secret|refresh|key/i;

/** Characters of the shortest value that is looked for. */
const SHORTEST = 6;

/**
 * An error as a logger may have it: the error itself, unless it shows a secret of the request (a token, a cookie, a password)
 * or comes from the database, whose errors have whole rows in them. Then it is a copy with kind, first line and frames.
 */
export function loggableError(error: Error, request: HttpRequest): Error {
  const secrets = secretsOf(request);
  if (!isDatabaseError(error) && !shows(error, secrets)) return error;
  const copy = new Error(redact(error.message.split('\n')[0] ?? '', secrets));
  copy.name = error.name;
  const frames = error.stack?.split('\n').filter((line) => line.trimStart().startsWith('at ')) ?? [];
  copy.stack = [`${copy.name}: ${copy.message}`, ...frames].join('\n');
  return copy;
}

/** Whether a logger that follows the properties of an error would print one of these. */
function shows(error: Error, secrets: readonly string[]): boolean {
  if (secrets.length === 0) return false;
  try {
    const text = inspect(error, { depth: 6, maxStringLength: null });
    return secrets.some((secret) => text.includes(secret));
  } catch {
    return true; // it cannot be looked at
  }
}

function secretsOf(request: HttpRequest & { readonly body?: unknown }): string[] {
  const { authorization = '', cookie = '' } = request.headers;
  const cookies = cookie.split(';').map((pair) => pair.slice(pair.indexOf('=') + 1).trim());
  const fields = typeof request.body === 'object' ? Object.entries(request.body ?? {}) : [];
  const values = fields.filter(([name]) => SECRET_FIELDS.test(name)).map(([, value]) => value);
  const candidates = [authorization.replace(/^\S+\s+/, ''), ...cookies, ...values];
  return candidates.filter((value): value is string => typeof value === 'string' && value.length >= SHORTEST);
}

function redact(text: string, secrets: readonly string[]): string {
  return secrets.reduce((redacted, secret) => redacted.replaceAll(secret, '[redacted]'), text);
}
