import type { HttpResponse, Next } from './http-message.js';
import { acceptEmptyBody, acceptFormBody, type BodyRequest, errorOfReadBody, mediaTypeOf } from './read-body.js';

const FORM = 'application/x-www-form-urlencoded';

/**
 * Options of `@Body` for a form that a browser sends without a script. routing-controllers reads the body as text if
 * the action is not JSON (`@ContentType`) and the type of the parameter is `string`.
 */
export const formBody = { options: { type: FORM, limit: '10kb' }, required: false };

/**
 * For `@UseBefore` together with `formBody`: accepts a form that another middleware has parsed already. A body that is
 * not a form counts as empty.
 */
export function acceptParsedForm(request: BodyRequest, _response: HttpResponse, next: Next): void {
  next(errorOfReadBody(request, mediaTypeOf(request) === FORM ? acceptFormBody : acceptEmptyBody));
}

/** The fields of a form body. If a field is sent twice, the last value counts. Empty if the body is not a form. */
export function parseForm(body: unknown): Partial<Record<string, string>> {
  if (typeof body === 'string') return Object.fromEntries(new URLSearchParams(body));
  // A body parser of the app has run first.
  const fields = Object.entries(body ?? {}).map(([name, value]) => [name, Array.isArray(value) ? value.at(-1) : value]);
  return Object.fromEntries(fields.filter(([, value]) => typeof value === 'string'));
}
