import type { JwtAllauthError } from '../error.js';
import { isChallenge } from '../sign-in/challenge.js';

/** Puts parameters into the fragment of a URL, which browsers do not send to servers. */
export function withFragment(target: string, parameters: Readonly<Record<string, string>>): string {
  const url = new URL(target);
  url.hash = new URLSearchParams(parameters).toString();
  return url.href;
}

/**
 * The URL of the app's page that learns why a sign-in was refused. The code is in the query (`error`). Status and
 * seconds to wait are in the fragment (`status`, `retry_after`). A challenge is in the fragment alone, with the members
 * of the JSON answer: `error`, `status`, `challenge`, `methods` (separated by commas) and `expires_in`.
 */
export function withRefusal(target: string, problem: JwtAllauthError): string {
  const { code, httpCode, retryAfter } = problem;
  const status = String(httpCode);
  if (isChallenge(problem)) {
    const { challenge, methods, expires_in }: Readonly<Record<string, unknown>> = { ...problem.toJSON() };
    const members = { challenge: String(challenge), methods: String(methods), expires_in: String(expires_in) };
    return withFragment(target, { error: code, status, ...members });
  }
  const url = new URL(target);
  url.searchParams.set('error', code);
  return withFragment(url.href, { status, ...(retryAfter !== undefined && { retry_after: String(retryAfter) }) });
}
