import { targetConstructorToSchema } from 'class-validator-jsonschema';
import type { JsonSchema } from './open-api-document.js';

/** A password that is being chosen. Its length is that of its normal form (NFKC). */
export const newPasswordSchema: JsonSchema = { type: 'string', format: 'password', minLength: 8, maxLength: 128 };

const password: JsonSchema = { type: 'string', format: 'password' };
const name: JsonSchema = { type: 'string', maxLength: 150, pattern: '^[^\\p{Cc}\\p{Cs}]*$' };

/** What the rules of a field come to: those of class-validator are made for bodies that were normalised before. */
const FIELDS: Readonly<Record<string, JsonSchema>> = {
  email: { type: 'string', format: 'email', maxLength: 254, description: 'Trimmed, and compared without case.' },
  password,
  oldPassword: password,
  newPassword: newPasswordSchema,
  firstName: name,
  lastName: name,
  refresh: { type: 'string', description: 'The refresh token.' },
};

/** How one input differs from the fields of all. */
interface InputVariation {
  readonly fields?: Readonly<Record<string, JsonSchema>>;
  /** Optional for class-validator, but asked for in this mode. */
  readonly required?: readonly string[];
}

/** The schema of one of our inputs; unknown fields are refused. */
export function inputSchema(input: new () => object, { fields = {}, required = [] }: InputVariation = {}): JsonSchema {
  const { properties = {}, required: always = [] } = targetConstructorToSchema(input);
  const refined = Object.entries(properties).map(([field, schema]) => [
    field,
    fields[field] ?? FIELDS[field] ?? schema,
  ]);
  const needed = [...new Set([...always, ...required])];
  return {
    type: 'object',
    properties: Object.fromEntries(refined),
    ...(needed.length > 0 && { required: needed }),
    additionalProperties: false,
  };
}
