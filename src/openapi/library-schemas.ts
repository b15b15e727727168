import { isDeepStrictEqual } from 'node:util';
import type { JsonSchema, NamedSchema } from '../http/json-schema.js';
import type { InputClass, RefinedInput } from '../http/route-description.js';
import { inputSchema } from './input-schema.js';
import type { LibraryRoute } from './library-route.js';
import { PROBLEM, PROBLEM_SCHEMA } from './problem-answer.js';

/**
 * The schemas of the request and response bodies of these routes, by name.
 *
 * @throws TypeError if two routes use one name for two schemas
 */
export function librarySchemas(routes: readonly LibraryRoute[]): Readonly<Record<string, JsonSchema>> {
  const schemas = new Map<string, JsonSchema>([[PROBLEM, PROBLEM_SCHEMA]]);
  for (const { name, schema } of routes.flatMap(namedSchemas)) {
    const other = schemas.get(name);
    if (other && !isDeepStrictEqual(other, schema))
      throw new TypeError(`two routes use the name ${name} for different schemas`);
    schemas.set(name, schema);
  }
  return Object.fromEntries(schemas);
}

/** The name of the schema of an input. */
export function inputName(input: InputClass | RefinedInput): string {
  return `Auth${typeof input === 'function' ? input.name : (input.name ?? input.input.name)}`;
}

function namedSchemas({ description: { body, answers } }: LibraryRoute): NamedSchema[] {
  const named = Object.values(answers).flatMap(({ json }) => (json ? ['items' in json ? json.items : json] : []));
  const bodies = named.map(withFields);
  if (body === undefined || 'form' in body) return bodies;
  if ('json' in body) return [...bodies, body.json];
  const refined = typeof body === 'function' ? { input: body } : body;
  return [...bodies, { name: inputName(body), schema: inputSchema(refined) }];
}

/** The schema with the members that the app added. */
function withFields({ name, schema, fields = [] }: NamedSchema): NamedSchema {
  if (fields.length === 0) return { name, schema };
  const { properties, required } = schema as { properties: JsonSchema; required: readonly string[] };
  const added = fields.map((field) => {
    const described = inputSchema(field)['properties'] as Readonly<Record<string, JsonSchema>>;
    const fieldSchema = described[field.name] ?? {};
    return [field.name, field.isNullable ? { anyOf: [fieldSchema, { type: 'null' }] } : fieldSchema] as const;
  });
  const allProperties = { ...properties, ...Object.fromEntries(added) };
  return {
    name,
    schema: { ...schema, properties: allProperties, required: [...required, ...fields.map((each) => each.name)] },
  };
}
