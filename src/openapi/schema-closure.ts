import type { AppSchemas, TypeClass } from './app-schemas.js';
import type { JsonSchema, OpenApiContent, OpenApiOperation, OpenApiResponse } from './open-api-document.js';
import { mapSubschemas, toJsonSchema } from './schema-dialect.js';
import { referencedSchema } from './schema-reference.js';

/** The schemas of a document: those that its operations refer to, and those that these refer to in turn. */
export class SchemaClosure {
  readonly #reached = new Map<string, JsonSchema>();

  constructor(
    private readonly own: Readonly<Record<string, JsonSchema>>,
    private readonly app: AppSchemas,
  ) {}

  /** The schemas of classes that the parameters of a route have. @throws TypeError for a name that another class has too */
  ofTypes(types: readonly TypeClass[]): Record<string, JsonSchema> {
    for (const type of types) {
      if (Object.hasOwn(this.own, type.name))
        throw new TypeError(`${type.name} is a schema of jwt-allauth; rename the class`);
      this.app.add(type);
    }
    return Object.fromEntries(types.map(({ name }) => [name, this.app.find(name) ?? {}]));
  }

  /** The operation, with every schema reached that it refers to. */
  take(operation: OpenApiOperation): OpenApiOperation {
    const { parameters, requestBody, responses } = operation;
    const answers = Object.entries(responses).map(([status, response]) => [status, this.#response(response)]);
    return {
      ...operation,
      ...(parameters && {
        parameters: parameters.map((each) => ({ ...each, ...(each.schema && { schema: this.#reach(each.schema) }) })),
      }),
      ...(requestBody && { requestBody: { ...requestBody, content: this.#content(requestBody.content) } }),
      responses: Object.fromEntries(answers),
    };
  }

  /** What was reached, by name. */
  schemas(): Record<string, JsonSchema> {
    return Object.fromEntries([...this.#reached].sort(([one], [other]) => (one < other ? -1 : 1)));
  }

  #response(response: OpenApiResponse): OpenApiResponse {
    return response.content ? { ...response, content: this.#content(response.content) } : response;
  }

  #content(content: OpenApiContent): OpenApiContent {
    const media = Object.entries(content).map(([type, { schema, ...rest }]) => [
      type,
      { ...rest, ...(schema && { schema: this.#reach(schema) }) },
    ]);
    return Object.fromEntries(media);
  }

  /** The schema, whose references lead somewhere. */
  #reach(schema: JsonSchema): JsonSchema {
    const name = referencedSchema(schema);
    if (name === undefined) return mapSubschemas(schema, (each) => this.#reach(each));
    if (name === 'Date') return { type: 'string', format: 'date-time' };
    if (this.#reached.has(name)) return schema;
    const found = Object.hasOwn(this.own, name) ? this.own[name] : this.app.find(name);
    if (!found) return {}; // a type without rules: nothing is known of it
    this.#reached.set(name, found); // before its own references are followed: they may lead back here
    this.#reached.set(name, this.#reach(toJsonSchema(found)));
    return schema;
  }
}
