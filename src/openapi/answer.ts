import type { JsonSchema } from '../http/json-schema.js';
import type { OpenApiResponse } from './open-api-document.js';

/** Response headers by name, with their descriptions. */
type Headers = Readonly<Record<string, string>>;

/** A response with a JSON body. */
export function jsonAnswer(description: string, schema: JsonSchema, headers: Headers = {}): OpenApiResponse {
  return { ...emptyAnswer(description, headers), content: { 'application/json': { schema } } };
}

/** A response with an HTML page. */
export function pageAnswer(description: string, headers: Headers = {}): OpenApiResponse {
  return { ...emptyAnswer(description, headers), content: { 'text/html': { schema: { type: 'string' } } } };
}

/** A response without a body. */
export function emptyAnswer(description: string, headers: Headers = {}): OpenApiResponse {
  const described = Object.entries(headers).map(([name, text]) => [
    name,
    { description: text, schema: { type: 'string' } },
  ]);
  return { description, ...(described.length > 0 && { headers: Object.fromEntries(described) }) };
}
