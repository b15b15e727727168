import { STATUS_CODES } from 'node:http';
import type { JsonSchema, OpenApiResponse } from './open-api-document.js';
import { schemaReference } from './schema-reference.js';

/** The schema of every error answer (RFC 9457). */
export const PROBLEM = 'AuthProblem';

/** An error answer with problem details that have one of these codes. */
export function problemAnswer(status: number, codes: readonly string[]): OpenApiResponse {
  const narrowed: JsonSchema = {
    type: 'object',
    properties: { status: { const: status }, code: { enum: [...new Set(codes)] } },
    required: ['status', 'code'],
  };
  const headers = headersOf(status);
  return {
    description: STATUS_CODES[status] ?? 'Error',
    ...(headers && { headers }),
    content: { 'application/problem+json': { schema: { allOf: [schemaReference(PROBLEM), narrowed] } } },
  };
}

function headersOf(status: number): OpenApiResponse['headers'] {
  if (status === 401) {
    return { 'WWW-Authenticate': { description: 'A challenge of RFC 6750.', schema: { type: 'string' } } };
  }
  if (status !== 429 && status !== 503) return undefined;
  return { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer', minimum: 0 } } };
}
