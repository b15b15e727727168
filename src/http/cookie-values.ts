import type { HttpRequest } from './http-message.js';

/**
 * White space as defined by RFC 6265 §5.2. `trim()` removes more characters, and would match a cookie of another name.
 */
const WHITE_SPACE = /^[ \t]+|[ \t]+$/g;

/** The values of all cookies of a name, in the order of the request, without empty values. */
export function cookieValues({ headers }: HttpRequest, name: string): string[] {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.replace(WHITE_SPACE, ''));
  return pairs
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
    .filter((value) => value !== '');
}
