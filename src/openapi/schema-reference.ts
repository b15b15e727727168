import type { JsonSchema } from '../http/json-schema.js';

/** Where the schemas of a document stand. */
export const SCHEMAS = '#/components/schemas/';

/** A reference to a schema of the document. */
export function schemaReference(name: string): JsonSchema {
  return { $ref: `${SCHEMAS}${name}` };
}

/** The name of the schema that a reference means; undefined for what is no such reference. */
export function referencedSchema({ $ref }: JsonSchema): string | undefined {
  return typeof $ref === 'string' && $ref.startsWith(SCHEMAS) ? $ref.slice(SCHEMAS.length) : undefined;
}
