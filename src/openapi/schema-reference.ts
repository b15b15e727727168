import type { JsonSchema } from '../http/json-schema.js';

/** The path of the schemas in a document. */
export const SCHEMAS = '#/components/schemas/';

/** A reference to a schema of the document. */
export function schemaReference(name: string): JsonSchema {
  return { $ref: `${SCHEMAS}${name}` };
}

/** The name of the referenced schema; undefined if it is not such a reference. */
export function referencedSchema({ $ref }: JsonSchema): string | undefined {
  return typeof $ref === 'string' && $ref.startsWith(SCHEMAS) ? $ref.slice(SCHEMAS.length) : undefined;
}
