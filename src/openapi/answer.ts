import type { JsonSchema } from '../http/json-schema.js';
import type { OpenApiResponse } from './open-api-document.js';

/** Headers of an answer, by name, with what they are for. */
type Headers = Readonly<Record<string, string>>;

/** An answer with a JSON body. */
export function jsonAnswer(description: string, schema: JsonSchema, headers: Headers = {}): OpenApiResponse {
  return { ...emptyAnswer(description, headers), content: { 'application/json': { schema } } };
}

/** An answer with a page for people. */
export function pageAnswer(description: string, headers: Headers = {}): OpenApiResponse {
  return { ...emptyAnswer(description, headers), content: { 'text/html': { schema: { type: 'string' } } } };
}

/** An answer without a body. */
export function emptyAnswer(description: string, headers: Headers = {}): OpenApiResponse {
  const told = Object.entries(headers).map(([name, text]) => [name, { description: text, schema: { type: 'string' } }]);
  return { description, ...(told.length > 0 && { headers: Object.fromEntries(told) }) };
}
