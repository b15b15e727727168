import { closedObject, type JsonSchema, type NamedSchema } from '../../http/json-schema.js';

/** The tag of the routes in the OpenAPI document. */
export const PASSKEY_TAG = 'Passkeys';

const text: JsonSchema = { type: 'string' };
const instant: JsonSchema = { ...text, format: 'date-time' };

/** The JSON of `PublicKeyCredential.toJSON()`. */
export const CREDENTIAL: JsonSchema = {
  type: 'object',
  properties: {
    id: text,
    rawId: text,
    type: { const: 'public-key' },
    response: { type: 'object', additionalProperties: true },
    clientExtensionResults: { type: 'object', additionalProperties: true },
    authenticatorAttachment: text,
  },
  required: ['id', 'rawId', 'type', 'response'],
  description: 'The JSON of `PublicKeyCredential.toJSON()`.',
};

/** Schemas of the fields of requests. */
export const FIELDS = {
  name: { ...text, minLength: 1, maxLength: 64, description: 'For the list of passkeys.' },
  challenge: { ...text, description: 'The `challenge` of a sign-in that was answered with `second_factor_required`.' },
} as const satisfies Record<string, JsonSchema>;

/** The body that adds a passkey. */
export const NEW_PASSKEY: NamedSchema = {
  name: 'AuthNewPasskey',
  schema: {
    ...closedObject({
      credential: CREDENTIAL,
      name: { ...FIELDS.name, description: 'Default: its password manager.' },
    }),
    required: ['credential'],
  },
};

/** The body that signs in. */
export const PASSKEY_LOGIN: NamedSchema = {
  name: 'AuthPasskeyLogin',
  schema: {
    ...closedObject({ credential: CREDENTIAL, challenge: FIELDS.challenge }),
    required: ['credential'],
  },
};

/** A passkey. */
export const PASSKEY: NamedSchema = {
  name: 'AuthPasskey',
  schema: closedObject({
    id: { ...text, format: 'uuid' },
    name: text,
    createdAt: instant,
    lastUsedAt: { type: ['string', 'null'], format: 'date-time' },
    isBackedUp: { type: 'boolean', description: 'Whether it is on several devices, or in a backup.' },
    isDisabled: { type: 'boolean', description: 'Whether its counter went back. It does not sign in any more.' },
  }),
};

/** The options of a ceremony. Browsers check them. */
const options = (name: string, required: readonly string[]): NamedSchema => ({
  name,
  schema: {
    type: 'object',
    properties: Object.fromEntries(required.map((each) => [each, {}])),
    required,
    additionalProperties: true,
  },
});

/** The JSON for `PublicKeyCredential.parseCreationOptionsFromJSON`. */
export const CREATION_OPTIONS = options('AuthPasskeyCreationOptions', ['challenge', 'rp', 'user', 'pubKeyCredParams']);

/** The JSON for `PublicKeyCredential.parseRequestOptionsFromJSON`. */
export const REQUEST_OPTIONS = options('AuthPasskeyRequestOptions', ['challenge', 'rpId']);
