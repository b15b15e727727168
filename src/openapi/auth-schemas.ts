import { AccountDeletionInput } from '../http/inputs/account-deletion.input.js';
import { EmailInput } from '../http/inputs/email.input.js';
import { EmailChangeInput } from '../http/inputs/email-change.input.js';
import { InvitationInput } from '../http/inputs/invitation.input.js';
import { LoginInput } from '../http/inputs/login.input.js';
import { NewPasswordInput } from '../http/inputs/new-password.input.js';
import { PasswordChangeInput } from '../http/inputs/password-change.input.js';
import { ProfileInput } from '../http/inputs/profile.input.js';
import { RefreshInput } from '../http/inputs/refresh.input.js';
import { RegistrationInput } from '../http/inputs/registration.input.js';
import type { Settings } from '../settings/settings.js';
import { inputSchema, newPasswordSchema } from './input-schema.js';
import type { JsonSchema } from './open-api-document.js';
import { PROBLEM } from './problem-answer.js';

/** Our inputs, whose rules stand beside the app's in the storage of class-validator. */
export const AUTH_INPUTS: readonly (new () => object)[] = [
  AccountDeletionInput,
  EmailInput,
  EmailChangeInput,
  InvitationInput,
  LoginInput,
  NewPasswordInput,
  PasswordChangeInput,
  ProfileInput,
  RefreshInput,
  RegistrationInput,
];

const text: JsonSchema = { type: 'string' };
const maybeText: JsonSchema = { type: ['string', 'null'] };
const instant: JsonSchema = { type: 'string', format: 'date-time' };

/** The schemas of our bodies, by name. */
export function authSchemas(settings: Settings): Readonly<Record<string, JsonSchema>> {
  const { refreshTokenAsCookie, oldPasswordFieldEnabled } = settings;
  return {
    [PROBLEM]: PROBLEM_SCHEMA,
    AuthDetail: closed({ detail: { ...text, description: 'A sentence for people.' } }),
    AuthTokens: closed({ access: text, ...(!refreshTokenAsCookie && { refresh: text }) }),
    AuthProfile: closed({
      id: text,
      email: { ...text, format: 'email' },
      firstName: text,
      lastName: text,
      role: { type: 'integer' },
      emailVerified: { type: 'boolean' },
    }),
    AuthSession: closed({
      id: { ...text, format: 'uuid' },
      current: { type: 'boolean', description: 'Whether the access token belongs to it.' },
      createdAt: instant,
      lastUsedAt: { ...instant, description: 'To the minute; a refresh is shown when its grace is over.' },
      expiresAt: { ...instant, description: 'When it ends if it is not used, to the minute.' },
      ip: maybeText,
      browser: maybeText,
      os: maybeText,
      device: maybeText,
    }),
    AuthKeySet: KEY_SET,
    ...Object.fromEntries(AUTH_INPUTS.map((input) => [`Auth${input.name}`, inputSchema(input)])),
    AuthRegistrationInput: inputSchema(RegistrationInput, { fields: { password: newPasswordSchema } }),
    AuthRefreshInput: inputSchema(RefreshInput, { required: ['refresh'] }),
    AuthPasswordChangeInput: inputSchema(PasswordChangeInput, {
      required: oldPasswordFieldEnabled ? ['oldPassword'] : [],
    }),
  };
}

/** An object with exactly these members. */
function closed(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}

const PROBLEM_SCHEMA: JsonSchema = {
  type: 'object',
  description: 'Problem details (RFC 9457).',
  properties: {
    type: { const: 'about:blank' },
    title: text,
    status: { type: 'integer', minimum: 400, maximum: 599 },
    code: { ...text, description: 'Stable; for programs.' },
    detail: { ...text, description: 'For people.' },
    errors: {
      type: 'array',
      description: 'What is wrong with which field.',
      items: closed({ field: text, messages: { type: 'array', items: text } }),
    },
  },
  required: ['type', 'title', 'status', 'code', 'detail'],
};

const KEY_SET: JsonSchema = closed({
  keys: {
    type: 'array',
    items: {
      type: 'object',
      properties: {
        kid: text,
        kty: text,
        use: { const: 'sig' },
        alg: text,
        crv: text,
        x: text,
        y: text,
        n: text,
        e: text,
      },
      required: ['kid', 'kty', 'use', 'alg'],
    },
  },
});
