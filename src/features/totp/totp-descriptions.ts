import { closedObject, type JsonSchema, type NamedSchema } from '../../http/json-schema.js';

/** The tag of the routes in the OpenAPI document. */
export const MFA_TAG = 'Second factor';

const text: JsonSchema = { type: 'string' };
const whole: JsonSchema = { type: 'integer', minimum: 0 };

/** Schemas of the fields of requests. */
export const FIELDS = {
  challenge: { ...text, description: 'The `challenge` of a sign-in that was answered with `second_factor_required`.' },
  code: { ...text, description: 'Six digits of the authenticator app. Spaces are ignored.' },
  recoveryCode: { ...text, description: 'An unused recovery code, in any case, with or without its dash.' },
  revokeOthers: { type: 'boolean', default: true, description: 'Whether the other sessions of the user end.' },
} as const satisfies Record<string, JsonSchema>;

const codes: JsonSchema = {
  type: 'array',
  items: { ...text, pattern: '^[0-9a-z]{5}-[0-9a-z]{5}$' },
  description: 'Each works once. They are shown only now.',
};

/** The second factors of a user. */
export const MFA_STATUS: NamedSchema = {
  name: 'AuthMfaStatus',
  schema: closedObject({
    mode: { enum: ['optional', 'required'], description: 'Whether every user must have a second factor.' },
    totp: { type: 'boolean', description: 'Whether an authenticator app is set up.' },
    recoveryCodesLeft: whole,
    passkeys: whole,
  }),
};

/** A secret that must be confirmed. */
export const TOTP_SETUP: NamedSchema = {
  name: 'AuthTotpSetup',
  schema: closedObject({
    secret: { ...text, description: 'In base32, for people who type it.' },
    uri: { ...text, format: 'uri', description: 'For a link on the device with the authenticator app.' },
    qr: { ...text, description: 'The URI as a QR code: an SVG image.' },
  }),
};

/** New recovery codes. */
export const RECOVERY_CODES: NamedSchema = {
  name: 'AuthRecoveryCodes',
  schema: closedObject({ recoveryCodes: codes }),
};

/** Recovery codes, and the tokens of a sign-in if the request answered a challenge. */
export const TOTP_CONFIRMED: NamedSchema = {
  name: 'AuthTotpConfirmed',
  schema: {
    ...closedObject({ recoveryCodes: codes, access: text, refresh: text }),
    required: ['recoveryCodes'],
  },
};
