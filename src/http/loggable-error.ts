import { isDatabaseError } from '../database/database-error.js';
import { type RequestWithSecrets, secretsOf } from './request-secrets.js';

/** Members whose values are secrets, such as the headers of a request that the app has made. */
const SECRET_MEMBERS = /passw|token|secret|authorization|cookie|credential|api[-_]?key/i;

/** Credentials within a text: of a header, or of an address. */
const CREDENTIALS = /\b(?:Bearer|Basic)\s+\S{6,}|(?<=:\/\/)[^\s/@]*:[^\s/@]+(?=@)/gi;

/** Values that are looked at. An error with more is taken for one that has a secret. */
const MOST_VALUES = 5000;

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
  const seen = new Set<unknown>([error]);
  try {
    for (const value of seen) {
      if (seen.size > MOST_VALUES) return true;
      for (const [name, member] of membersOf(value as object)) {
        if (isSecret(name, member, secrets)) return true;
        if (typeof member === 'object' && member !== null) seen.add(member);
      }
    }
    return false;
  } catch {
    return true; // it cannot be looked at
  }
}

function membersOf(value: object): [name: string, member: unknown][] {
  if (value instanceof Uint8Array) return [['', Buffer.from(value).toString()]];
  const entries = value instanceof Map ? [...value] : value instanceof Set ? [...value].map((each) => ['', each]) : [];
  // A getter is not called: it may do anything.
  const own = Reflect.ownKeys(value).map((key) => [key, Object.getOwnPropertyDescriptor(value, key)?.value]);
  return [...entries, ...own].map(([name, member]) => [String(name), member]);
}

function isSecret(name: string, member: unknown, secrets: readonly string[]): boolean {
  if (typeof member !== 'string') return false;
  if (member !== '' && SECRET_MEMBERS.test(name)) return true;
  return member.search(CREDENTIALS) >= 0 || secrets.some((secret) => member.includes(secret));
}

function redact(text: string, secrets: readonly string[]): string {
  return secrets
    .reduce((redacted, secret) => redacted.replaceAll(secret, '[redacted]'), text)
    .replace(CREDENTIALS, '[redacted]');
}
