import { authError } from '../../error-table.js';
import type { HttpRequest } from '../../http/http-message.js';
import type { ProviderAnswer } from './social-provider.js';

/** A request with its URL, as Express has it. */
export type RequestWithUrl = HttpRequest & { readonly originalUrl: string };

/** The parameters of a provider's answer that are used, with their maximum lengths. */
const PARAMETERS: Readonly<Record<string, number>> = { code: 4096, state: 128, iss: 1024, error: 128, user: 2048 };

/** The query of a request, as the browser has sent it. A parameter can occur several times. */
export function queryOf({ originalUrl }: RequestWithUrl): URLSearchParams {
  // Not parsed as a URL: the target of a request can be absolute, with a host or port that no URL has.
  return new URLSearchParams(originalUrl.split(/\?(.*)/s)[1]);
}

/** The form of an S256 challenge (RFC 7636 §4.2). */
const CHALLENGE = /^[\w-]{43}$/;

/** The challenge with which a client begins a sign-in. @throws bad_request if it has another form, or comes twice */
export function exchangeChallengeOf(query: URLSearchParams): string | undefined {
  const [challenge, ...others] = query.getAll('exchange_challenge');
  if (challenge === undefined) return undefined;
  if (others.length === 0 && CHALLENGE.test(challenge)) return challenge;
  throw authError('bad_request', { detail: 'exchange_challenge must be an S256 challenge, in base64url.' });
}

/**
 * The known parameters of a provider's answer. A parameter that is too long is dropped. One that occurs twice stays so,
 * and the answer is refused (RFC 6749 §3.1).
 */
export function answerParameters(given: URLSearchParams): URLSearchParams {
  const known = [...given].filter(([name, value]) => value.length <= (PARAMETERS[name] ?? 0));
  return new URLSearchParams(known);
}

/**
 * The parameters of an answer that came as a form, for the query of the callback. The query may be logged, and so the
 * address in Apple's `user` is left out.
 */
export function formParameters(form: Readonly<Partial<Record<string, string>>>): URLSearchParams {
  const given = Object.entries(form).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  const parameters = answerParameters(new URLSearchParams(given as [string, string][]));
  const name = unsignedName(parameters);
  parameters.delete('user');
  if (name) parameters.set('user', JSON.stringify({ name }));
  return parameters;
}

/** The name in Apple's parameter `user`. */
export function unsignedName(parameters: URLSearchParams): ProviderAnswer['unsignedName'] {
  try {
    const { name } = JSON.parse(parameters.get('user') ?? '{}') as { readonly name?: Record<string, unknown> };
    const [firstName, lastName] = [name?.['firstName'], name?.['lastName']];
    if (typeof firstName !== 'string' && typeof lastName !== 'string') return undefined;
    return {
      ...(typeof firstName === 'string' && { firstName }),
      ...(typeof lastName === 'string' && { lastName }),
    };
  } catch {
    return undefined;
  }
}
