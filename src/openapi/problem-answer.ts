import { STATUS_CODES } from 'node:http';
import { closedObject, type JsonSchema } from '../http/json-schema.js';
import type { Challenge } from '../sign-in/challenge.js';
import type { OpenApiResponse } from './open-api-document.js';
import { schemaReference } from './schema-reference.js';

/** The name of the schema of error responses (RFC 9457). */
export const PROBLEM = 'AuthProblem';

const text: JsonSchema = { type: 'string' };

export const PROBLEM_SCHEMA: JsonSchema = {
  type: 'object',
  description: 'Problem details (RFC 9457).',
  properties: {
    type: { const: 'about:blank' },
    title: text,
    status: { type: 'integer', minimum: 400, maximum: 599 },
    code: { ...text, description: 'A stable code for programs.' },
    detail: { ...text, description: 'A message for people.' },
    reason: { ...text, description: 'With `dpop_proof_invalid`: what is wrong with the proof.' },
    errors: {
      type: 'array',
      description: 'The fields that are not valid.',
      items: closedObject({ field: text, messages: { type: 'array', items: text } }),
    },
  },
  required: ['type', 'title', 'status', 'code', 'detail'],
};

/** The members of problem details that are a challenge. */
const CHALLENGE: Readonly<Record<keyof Challenge, JsonSchema>> = {
  challenge: { ...text, description: 'With `second_factor_required`: identifies the sign-in.' },
  methods: { type: 'array', items: text, description: 'The methods that can answer the challenge.' },
  expires_in: { type: 'integer', minimum: 0, description: 'Seconds until the challenge expires.' },
};

/**
 * An error response: problem details with one of these codes.
 *
 * @param options `isChallenge`: it can be the challenge of a sign-in
 */
export function problemAnswer(
  status: number,
  codes: readonly string[],
  { isChallenge = false }: { readonly isChallenge?: boolean } = {},
): OpenApiResponse {
  const narrowed: JsonSchema = {
    type: 'object',
    properties: { status: { const: status }, code: { enum: [...new Set(codes)] }, ...(isChallenge && CHALLENGE) },
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
    return { 'WWW-Authenticate': { description: 'The challenge (RFC 6750, RFC 9470).', schema: { type: 'string' } } };
  }
  if (status !== 429 && status !== 503) return undefined;
  return { 'Retry-After': { description: 'Seconds to wait before a retry.', schema: { type: 'integer', minimum: 0 } } };
}
