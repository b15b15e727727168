import type { JsonSchema } from '../http/json-schema.js';
import type { OpenApiContent, OpenApiOperation, OpenApiResponse } from './open-api-document.js';

type Map = (schema: JsonSchema) => JsonSchema;

/** Replaces each schema in an operation with the result of `map`. */
export function mapSchemas(operation: OpenApiOperation, map: Map): OpenApiOperation {
  const inPart = <Part extends { readonly schema?: JsonSchema }>(part: Part): Part =>
    part.schema ? { ...part, schema: map(part.schema) } : part;
  const inContent = (content: OpenApiContent) => mapValues(content, inPart);
  const inResponse = ({ headers, content, ...response }: OpenApiResponse): OpenApiResponse => ({
    ...response,
    ...(headers && { headers: mapValues(headers, inPart) }),
    ...(content && { content: inContent(content) }),
  });
  const { parameters, requestBody, responses } = operation;
  return {
    ...operation,
    ...(parameters && { parameters: parameters.map(inPart) }),
    ...(requestBody && { requestBody: { ...requestBody, content: inContent(requestBody.content) } }),
    responses: mapValues(responses, inResponse),
  };
}

/** Replaces each schema inside a schema with the result of `map`. */
export function mapSubschemas(schema: JsonSchema, map: Map): JsonSchema {
  const mapped = (value: unknown) => (isSchema(value) ? map(value) : value);
  const entries = Object.entries(schema).map(([keyword, value]) => {
    if (ONE_SCHEMA.has(keyword)) return [keyword, mapped(value)];
    if (SCHEMA_LIST.has(keyword) && Array.isArray(value)) return [keyword, value.map(mapped)];
    if (NAMED_SCHEMAS.has(keyword) && isSchema(value)) return [keyword, mapValues(value, mapped)];
    return [keyword, value];
  });
  return Object.fromEntries(entries);
}

/** Keywords whose value is one schema, a list of schemas, or schemas by name. */
const ONE_SCHEMA = new Set(['items', 'not', 'additionalProperties', 'contains', 'propertyNames', 'if', 'then', 'else']);
const SCHEMA_LIST = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems']);
const NAMED_SCHEMAS = new Set(['properties', 'patternProperties', '$defs', 'dependentSchemas']);

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Replaces each value of an object with the result of `map`. */
export function mapValues<From, To>(
  object: Readonly<Record<string, From>>,
  map: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]));
}
