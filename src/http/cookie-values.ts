import type { HttpRequest } from './http-message.js';

/**
 * The white space that RFC 6265 §5.2 strips: space and tab. `trim()` also removes other characters, such as U+00A0, so
 * that a cookie of another name could be taken for this one.
 */
const WHITE_SPACE = /^[ \t]+|[ \t]+$/g;

/** The values of all cookies with a name, in the order of the request, without empty values. */
export function cookieValues({ headers }: HttpRequest, name: string): string[] {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.replace(WHITE_SPACE, ''));
  return pairs
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
    .filter((value) => value !== '');
}
