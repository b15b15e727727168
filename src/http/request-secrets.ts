import type { HttpRequest } from './http-message.js';
import { type Member, nestedMembers } from './nested-members.js';

/** Fields of a body or a query whose values are secrets. */
const SECRET_FIELDS = /passw|token|secret|refresh|key|credential|otp/i;

/** A segment of a path that is as long as a mailed key. */
const MAILED_KEY = /^[\w-]{40,}$/;

/** Characters of the shortest value that is looked for. */
const SHORTEST = 6;

/** Values of a body that are looked at. */
const MOST_VALUES = 1000;

/** The parts of a request that can have secrets in them. */
export type RequestWithSecrets = HttpRequest & { readonly body?: unknown; readonly originalUrl?: string };

/**
 * The secrets of a request: tokens, cookies, mailed keys, and passwords however deep in the body. Each also as it is
 * written in JSON and in a URL.
 */
export function secretsOf(request: RequestWithSecrets): string[] {
  const { authorization = '', cookie = '' } = request.headers;
  const cookies = cookie.split(';').map((pair) => pair.slice(pair.indexOf('=') + 1).trim());
  const [path = '', query = ''] = (request.originalUrl ?? '').split(/\?(.*)/s);
  const keys = path.split('/').filter((segment) => MAILED_KEY.test(segment));
  const sent = [Object.fromEntries(new URLSearchParams(query)), parsed(request.body)];
  const candidates = [authorization.replace(/^\S+\s+/, ''), ...cookies, ...keys, ...sent.flatMap(secretValues)];
  const secrets = candidates.filter((value) => value.length >= SHORTEST);
  return [...new Set(secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), escaped(secret)]))];
}

/** A body that was read as text, as what it says. */
function parsed(body: unknown): unknown {
  if (typeof body !== 'string') return body;
  try {
    return JSON.parse(body);
  } catch {
    return Object.fromEntries(new URLSearchParams(body));
  }
}

/** The texts below a field that is named like a secret. */
function secretValues(body: unknown): string[] {
  const found: string[] = [];
  let count = 0;
  for (const member of nestedMembers(body)) {
    if (++count > MOST_VALUES) break;
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
