import { ErrorCode } from '../error.js';
import type { Settings } from '../settings/settings.js';
import { jsonAnswer } from './answer.js';
import type { AuthOperation } from './auth-operation.js';
import { schemaReference } from './schema-reference.js';
import { BEARER } from './security-schemes.js';
import { signedOutAnswer, tokenAnswer } from './token-transport.js';

const TAG = 'Account';

/** Our routes about the account of whoever is signed in, by method and path below the prefix. */
export function accountOperations(settings: Settings): Readonly<Record<string, AuthOperation>> {
  const profile = (description: string) => ({ 200: jsonAnswer(description, schemaReference('AuthProfile')) });
  return {
    'GET /user': {
      id: 'getUser',
      tag: TAG,
      summary: 'The own profile',
      security: BEARER,
      answers: profile('The profile.'),
    },
    'PATCH /user': {
      id: 'updateUser',
      tag: TAG,
      summary: 'Change the own profile',
      security: BEARER,
      body: 'AuthProfileInput',
      answers: profile('The profile as it is now.'),
    },
    'POST /password/change': {
      id: 'changePassword',
      tag: TAG,
      summary: 'Change the password',
      description: settings.logoutOnPasswordChange
        ? 'Every older session ends, and a new one begins.'
        : 'The session of the access token ends, and a new one begins.',
      security: BEARER,
      body: 'AuthPasswordChangeInput',
      answers: { 200: tokenAnswer('Tokens of a new session.', settings) },
      errors: [ErrorCode.IncorrectCredentials],
      isLimited: true,
      isMinting: true,
    },
    'DELETE /user': {
      id: 'deleteUser',
      tag: TAG,
      summary: 'Delete the account and all it owns',
      security: BEARER,
      body: 'AuthAccountDeletionInput',
      answers: { 204: signedOutAnswer('The account is gone.', settings) },
      errors: [ErrorCode.IncorrectCredentials, ErrorCode.AccountInUse],
      isLimited: true,
    },
  };
}
