import type { Settings } from '../settings/settings.js';

/** A JSON Schema in the dialect of OpenAPI 3.1 (JSON Schema 2020-12). */
export type JsonSchema = { readonly [keyword: string]: unknown };

/** A schema that a document refers to by name. */
export interface NamedSchema {
  readonly name: string;
  readonly schema: JsonSchema;
  /** Members that the app adds, each with the class whose validation rules describe it. */
  readonly fields?: readonly {
    readonly name: string;
    readonly input: new () => object;
    readonly isNullable: boolean;
  }[];
}

/** The schema of an object with exactly these members. */
export function closedObject(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}

/** The schema of a new password. The length is that of its normal form (NFKC). */
export function newPasswordSchema({ passwordMinLength }: Pick<Settings, 'passwordMinLength'>): JsonSchema {
  return { type: 'string', format: 'password', minLength: passwordMinLength, maxLength: 128 };
}

/** The body of an answer that contains only a message. */
export const DETAIL: NamedSchema = {
  name: 'AuthDetail',
  schema: closedObject({ detail: { type: 'string', description: 'A message for people.' } }),
};
