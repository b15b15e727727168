import type { JsonSchema } from '../http/json-schema.js';
import { mapSubschemas } from './map-schemas.js';

/**
 * Converts a schema of OpenAPI 3.0 to the dialect of 3.1: replaces `nullable`, boolean limits, `example` and binary
 * formats.
 */
export function toJsonSchema(schema: JsonSchema): JsonSchema {
  const { nullable, exclusiveMinimum, exclusiveMaximum, example, ...rest } = mapSubschemas(schema, toJsonSchema);
  const converted = {
    ...rest,
    ...exclusive('minimum', exclusiveMinimum, rest),
    ...exclusive('maximum', exclusiveMaximum, rest),
    ...(example !== undefined && { examples: [example] }),
    ...(rest['format'] === 'binary' && { format: undefined, contentMediaType: 'application/octet-stream' }),
  };
  const defined = Object.fromEntries(Object.entries(converted).filter(([, value]) => value !== undefined));
  return nullable === true ? orNull(defined) : defined;
}

/** Converts a limit with a separate exclusive flag to an exclusive limit. */
function exclusive(limit: 'minimum' | 'maximum', flag: unknown, rest: JsonSchema): JsonSchema {
  const keyword = limit === 'minimum' ? 'exclusiveMinimum' : 'exclusiveMaximum';
  if (flag === true) return { [limit]: undefined, [keyword]: rest[limit] };
  return flag === false || flag === undefined ? {} : { [keyword]: flag };
}

function orNull(schema: JsonSchema): JsonSchema {
  const { type, enum: values } = schema;
  const isTyped = typeof type === 'string' || Array.isArray(type);
  if (!isTyped && Object.keys(schema).some((keyword) => REJECTING_NULL.has(keyword))) {
    return { anyOf: [schema, { type: 'null' }] };
  }
  return {
    ...schema,
    ...(isTyped && { type: [...new Set([type, 'null'].flat())] }),
    ...(Array.isArray(values) && { enum: [...new Set([...values, null])] }),
  };
}

/** Keywords that null does not satisfy. */
const REJECTING_NULL = new Set(['$ref', 'allOf', 'anyOf', 'oneOf', 'not', 'const']);
