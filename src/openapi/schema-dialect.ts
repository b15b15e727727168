import type { JsonSchema } from './open-api-document.js';

type Map = (schema: JsonSchema) => JsonSchema;

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The schemas within a schema, each replaced by what `map` makes of it. */
export function mapSubschemas(schema: JsonSchema, map: Map): JsonSchema {
  const entries = Object.entries(schema).map(([keyword, value]) => {
    if (ONE.has(keyword) && isSchema(value)) return [keyword, map(value)];
    if (LIST.has(keyword) && Array.isArray(value)) {
      return [keyword, value.map((each) => (isSchema(each) ? map(each) : each))];
    }
    if (NAMED.has(keyword) && isSchema(value)) {
      const named = Object.entries(value).map(([name, each]) => [name, isSchema(each) ? map(each) : each]);
      return [keyword, Object.fromEntries(named)];
    }
    return [keyword, value];
  });
  return Object.fromEntries(entries);
}

/** Keywords whose value is a schema, a list of schemas, schemas by name. */
const ONE = new Set(['items', 'not', 'additionalProperties', 'contains', 'propertyNames', 'if', 'then', 'else']);
const LIST = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems']);
const NAMED = new Set(['properties', 'patternProperties', '$defs', 'dependentSchemas']);

/** A schema of OpenAPI 3.0 in the dialect of 3.1: without `nullable`, boolean limits, `example` and binary formats. */
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

/** A limit that is exclusive by a flag beside it becomes one of its own. */
function exclusive(limit: 'minimum' | 'maximum', flag: unknown, rest: JsonSchema): JsonSchema {
  const keyword = limit === 'minimum' ? 'exclusiveMinimum' : 'exclusiveMaximum';
  if (flag === true) return { [limit]: undefined, [keyword]: rest[limit] };
  return flag === false || flag === undefined ? {} : { [keyword]: flag };
}

function orNull(schema: JsonSchema): JsonSchema {
  const { type, enum: values } = schema;
  const isTyped = typeof type === 'string' || Array.isArray(type);
  if (!isTyped && Object.keys(schema).some((keyword) => APPLIED.has(keyword))) {
    return { anyOf: [schema, { type: 'null' }] };
  }
  return {
    ...schema,
    ...(isTyped && { type: [...new Set([type, 'null'].flat())] }),
    ...(Array.isArray(values) && { enum: [...new Set([...values, null])] }),
  };
}

/** Keywords that null would not pass. */
const APPLIED = new Set(['$ref', 'allOf', 'anyOf', 'oneOf', 'not', 'const']);
