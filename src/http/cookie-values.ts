import type { HttpRequest } from './http-message.js';

/** What RFC 6265 §5.2 counts as white space: `trim()` takes more, and would read a cookie of another name as ours. */
const WHITE_SPACE = /^[ \t]+|[ \t]+$/g;

/** The values of all cookies of a name, in the order of the request, without empty ones. */
export function cookieValues({ headers }: HttpRequest, name: string): string[] {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.replace(WHITE_SPACE, ''));
  return pairs
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
    .filter((value) => value !== '');
}
