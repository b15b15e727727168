import { ErrorCode } from '../error.js';
import type { Settings } from '../settings/settings.js';
import { emptyAnswer, jsonAnswer } from './answer.js';
import type { AuthOperation } from './auth-operation.js';
import { schemaReference } from './schema-reference.js';
import { BEARER } from './security-schemes.js';
import { refreshCredential, signedOutAnswer } from './token-transport.js';

const TAG = 'Sessions';

/** Our routes about sessions, by method and path below the prefix. */
export function sessionOperations(settings: Settings): Readonly<Record<string, AuthOperation>> {
  return {
    'POST /logout': {
      id: 'logout',
      tag: TAG,
      summary: 'Sign out',
      description: 'Ends the session of the refresh token. Doing it again is no error.',
      ...refreshCredential(settings),
      answers: { 204: signedOutAnswer('Signed out.', settings) },
      errors: [ErrorCode.RefreshTokenMissing, ErrorCode.TokenNotValid],
      isGuarded: settings.refreshTokenAsCookie,
    },
    'POST /logout-all': {
      id: 'logoutAll',
      tag: TAG,
      summary: 'Sign out everywhere',
      security: BEARER,
      answers: { 204: signedOutAnswer('Every session has ended.', settings) },
    },
    'GET /sessions': {
      id: 'sessions',
      tag: TAG,
      summary: 'The own sessions, the one used last first',
      security: BEARER,
      answers: {
        200: jsonAnswer('At most 200 sessions.', { type: 'array', items: schemaReference('AuthSession') }),
      },
    },
    'DELETE /sessions/:id': {
      id: 'revokeSession',
      tag: TAG,
      summary: 'End one of the own sessions',
      security: BEARER,
      answers: { 204: emptyAnswer('The session has ended.') },
      errors: [ErrorCode.SessionNotFound],
    },
    'POST /sessions/revoke-others': {
      id: 'revokeOtherSessions',
      tag: TAG,
      summary: 'End every session but this one',
      security: BEARER,
      answers: { 204: emptyAnswer('The others have ended.') },
    },
  };
}
