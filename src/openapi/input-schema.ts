import { getMetadataStorage } from 'class-validator';
import { targetConstructorToSchema } from 'class-validator-jsonschema';
import type { JsonSchema } from '../http/json-schema.js';
import type { RefinedInput } from '../http/route-description.js';
import { toJsonSchema } from './schema-dialect.js';

const password: JsonSchema = { type: 'string', format: 'password' };
const name: JsonSchema = { type: 'string', maxLength: 150, pattern: '^[^\\p{Cc}\\p{Cs}]*$' };

/** Schemas of the library's fields. Those that class-validator derives describe bodies after normalisation. */
const FIELDS: Readonly<Record<string, JsonSchema>> = {
  email: { type: 'string', format: 'email', maxLength: 254, description: 'Trimmed, and compared case-insensitively.' },
  password,
  oldPassword: password,
  firstName: name,
  lastName: name,
  refresh: { type: 'string', description: 'The refresh token.' },
};

/** The schema of an input of the library; unknown fields are refused. */
export function inputSchema({ input, fields = {}, without = [], required = [] }: RefinedInput): JsonSchema {
  const { properties = {}, required: always = [] } = targetConstructorToSchema(input, {
    classValidatorMetadataStorage: getMetadataStorage(), // its default is the storage at import time
  });
  const isAccepted = (field: string) => !without.includes(field);
  const refined = Object.entries({ ...properties, ...fields })
    .filter(([field]) => isAccepted(field))
    .map(([field, schema]) => [field, fields[field] ?? FIELDS[field] ?? toJsonSchema(schema as JsonSchema)]);
  const needed = [...new Set([...always, ...required])].filter(isAccepted);
  return {
    type: 'object',
    properties: Object.fromEntries(refined),
    ...(needed.length > 0 && { required: needed }),
    additionalProperties: false,
  };
}
