import { closedObject, type JsonSchema, type NamedSchema } from '../../http/json-schema.js';

const text: JsonSchema = { type: 'string' };

/** Schemas of the fields of requests. */
export const FIELDS = {
  request: { ...text, description: 'The `request` of the answer to `POST /magic-link`, in the browser that asked.' },
  code: { ...text, description: 'The six digits of the mail. Spaces and dashes are ignored.' },
} as const satisfies Record<string, JsonSchema>;

/** The answer to a request for a mail. */
export const REQUESTED: NamedSchema = {
  name: 'AuthMagicLinkRequest',
  schema: closedObject({
    request: { ...text, pattern: '^[\\w-]{43}$', description: 'Needed with the code. The browser keeps it.' },
  }),
};
