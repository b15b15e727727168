import type { HttpResponse, Next } from './http-message.js';
import { acceptEmptyBody, acceptFormBody, type BodyRequest, errorOfReadBody, mediaTypeOf } from './read-body.js';

const FORM = 'application/x-www-form-urlencoded';

/**
 * Options of `@Body` for a form that a browser sends without a script. In an action that is not of JSON
 * (`@ContentType`) routing-controllers reads the body as text, provided that the parameter's type is `string`.
 */
export const formBody = { options: { type: FORM, limit: '10kb' }, required: false };

/**
 * For `@UseBefore` beside `formBody`: takes a form that something before us has read. What is no form counts as empty.
 */
export function acceptParsedForm(request: BodyRequest, _response: HttpResponse, next: Next): void {
  next(errorOfReadBody(request, mediaTypeOf(request) === FORM ? acceptFormBody : acceptEmptyBody));
}

/** The fields of a form's body; of a field that is sent twice the last. Empty for what is no form. */
export function parseForm(body: unknown): Partial<Record<string, string>> {
  if (typeof body === 'string') return Object.fromEntries(new URLSearchParams(body));
  // An app that parses forms itself has come first.
  const fields = Object.entries(body ?? {}).map(([name, value]) => [name, Array.isArray(value) ? value.at(-1) : value]);
  return Object.fromEntries(fields.filter(([, value]) => typeof value === 'string'));
}
