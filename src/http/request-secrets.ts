import type { HttpRequest } from './http-message.js';
import { type Member, nestedMembers } from './nested-members.js';

/** Fields of a body or query whose values are secrets. */
const SECRET_FIELDS = /passw|token|secret|refresh|key|credential|otp|code|challenge/i;

/** A path segment that has the length of a mailed key. */
const MAILED_KEY = /^[\w-]{40,}$/;

/** Minimum length of a value that is searched for. */
const MIN_SECRET_LENGTH = 6;

/** Maximum number of body values that are examined. */
const MAX_VALUES = 1000;

/** The parts of a request that can contain secrets. */
export type RequestWithSecrets = HttpRequest & { readonly body?: unknown; readonly originalUrl?: string };

/**
 * The secrets of a request: tokens, cookies, mailed keys, and passwords, codes and challenges at any depth of the body.
 * Each is also returned in its JSON and its URL encoding.
 */
export function secretsOf(request: RequestWithSecrets): string[] {
  const { authorization = '', cookie = '' } = request.headers;
  const cookies = cookie.split(';').map((pair) => pair.slice(pair.indexOf('=') + 1).trim());
  const [path = '', query = ''] = (request.originalUrl ?? '').split(/\?(.*)/s);
  const keys = path.split('/').filter((segment) => MAILED_KEY.test(segment));
  const sent = [Object.fromEntries(new URLSearchParams(query)), parsed(request.body)];
  const candidates = [authorization.replace(/^\S+\s+/, ''), ...cookies, ...keys, ...sent.flatMap(secretValues)];
  const secrets = candidates.filter((value) => value.length >= MIN_SECRET_LENGTH);
  return [...new Set(secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), escaped(secret)]))];
}

/** The content of a body that was read as text: JSON or a form. */
function parsed(body: unknown): unknown {
  if (typeof body !== 'string') return body;
  try {
    return JSON.parse(body);
  } catch {
    return Object.fromEntries(new URLSearchParams(body));
  }
}

/** The strings in fields whose name marks a secret, and in all fields below them. */
function secretValues(body: unknown): string[] {
  const found: string[] = [];
  let count = 0;
  for (const member of nestedMembers(body)) {
    if (++count > MAX_VALUES) break;
    if (typeof member.value === 'string' && isBelowSecret(member)) found.push(member.value);
  }
  return found;
}

function isBelowSecret(member: Member | undefined): boolean {
  for (let each = member; each; each = each.owner) if (SECRET_FIELDS.test(each.name)) return true;
  return false;
}

function escaped(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
