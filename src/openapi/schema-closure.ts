import type { JsonSchema } from '../http/json-schema.js';
import type { KnownSchemas } from './known-schemas.js';
import { mapSchemas, mapSubschemas } from './map-schemas.js';
import type { OpenApiOperation } from './open-api-document.js';
import { referencedSchema } from './schema-reference.js';

/**
 * Collects the schemas of a document: those that its operations refer to, and those that these schemas refer to in
 * turn.
 */
export class SchemaClosure {
  readonly #collected = new Map<string, JsonSchema>();

  constructor(private readonly known: KnownSchemas) {}

  /** Collects every schema that the operation refers to. */
  collect(operation: OpenApiOperation): OpenApiOperation {
    return mapSchemas(operation, (schema) => this.#collect(schema));
  }

  /** The collected schemas, sorted by name. */
  schemas(): Record<string, JsonSchema> {
    return Object.fromEntries([...this.#collected].sort(([one], [other]) => (one < other ? -1 : 1)));
  }

  /** Collects what the schema refers to. A reference to an unknown schema becomes an empty schema. */
  #collect(schema: JsonSchema): JsonSchema {
    const name = referencedSchema(schema);
    if (name === undefined) return mapSubschemas(schema, (each) => this.#collect(each));
    if (name === 'Date') return { type: 'string', format: 'date-time' };
    if (this.#collected.has(name)) return schema;
    const found = this.known.find(name);
    if (!found) return {}; // a type without validation rules
    this.#collected.set(name, found); // first, because its own references may lead back here
    this.#collected.set(name, this.#collect(found));
    return schema;
  }
}
