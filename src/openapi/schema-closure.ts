import type { JsonSchema } from '../http/json-schema.js';
import type { KnownSchemas } from './known-schemas.js';
import { mapSchemas, mapSubschemas } from './map-schemas.js';
import type { OpenApiOperation } from './open-api-document.js';
import { referencedSchema } from './schema-reference.js';

/** The schemas of a document: those that its operations refer to, and those that these refer to in turn. */
export class SchemaClosure {
  readonly #reached = new Map<string, JsonSchema>();

  constructor(private readonly known: KnownSchemas) {}

  /** The operation, with every schema reached that it refers to. */
  take(operation: OpenApiOperation): OpenApiOperation {
    return mapSchemas(operation, (schema) => this.#reach(schema));
  }

  /** What was reached, by name. */
  schemas(): Record<string, JsonSchema> {
    return Object.fromEntries([...this.#reached].sort(([one], [other]) => (one < other ? -1 : 1)));
  }

  /** The schema, whose references lead somewhere. */
  #reach(schema: JsonSchema): JsonSchema {
    const name = referencedSchema(schema);
    if (name === undefined) return mapSubschemas(schema, (each) => this.#reach(each));
    if (name === 'Date') return { type: 'string', format: 'date-time' };
    if (this.#reached.has(name)) return schema;
    const found = this.known.find(name);
    if (!found) return {}; // a type without rules: nothing is known of it
    this.#reached.set(name, found); // before its own references are followed: they may lead back here
    this.#reached.set(name, this.#reach(found));
    return schema;
  }
}
