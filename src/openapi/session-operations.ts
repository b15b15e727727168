import { ErrorCode } from '../error.js';
import type { Settings } from '../settings/settings.js';
import { emptyAnswer, jsonAnswer } from './answer.js';
import type { AuthOperation } from './auth-operation.js';
import { schemaReference } from './schema-reference.js';
import { BEARER, REFRESH_COOKIE } from './security-schemes.js';
import { tokenAnswer } from './token-answer.js';

const SIGN_IN = 'Sign-in';
const SESSIONS = 'Sessions';
const ACCOUNT = 'Account';

/** Our routes that are there without mail, by method and path below the prefix. */
export function sessionOperations(settings: Settings): Readonly<Record<string, AuthOperation>> {
  return { ...signInOperations(settings), ...endingOperations(settings), ...accountOperations(settings) };
}

function signInOperations(settings: Settings): Record<string, AuthOperation> {
  const isCookie = settings.refreshTokenAsCookie;
  const isMandatory = settings.emailVerification === 'mandatory';
  const isSilent = isMandatory && settings.preventEnumeration;
  const mark: Record<string, string> = settings.sessionOnEmailVerification
    ? { 'Set-Cookie': 'Sets the cookie by which the link knows this browser.' }
    : {};
  return {
    'POST /registration': {
      id: 'register',
      tag: SIGN_IN,
      summary: 'Sign up',
      body: 'AuthRegistrationInput',
      answers: {
        201: isMandatory
          ? jsonAnswer('A mail is on its way; its link confirms the address.', schemaReference('AuthDetail'), mark)
          : tokenAnswer('Signed up and signed in.', settings),
      },
      errors: isSilent ? {} : { 409: [ErrorCode.EmailAlreadyRegistered] },
      isGuarded: isCookie,
      isLimited: settings.emailVerification !== 'none',
      isMinting: !isMandatory,
    },
    'POST /login': {
      id: 'login',
      tag: SIGN_IN,
      summary: 'Sign in',
      body: 'AuthLoginInput',
      answers: { 200: tokenAnswer('Signed in.', settings) },
      errors: {
        401: [
          ErrorCode.IncorrectCredentials,
          ErrorCode.NoActiveAccount,
          ...(isMandatory ? [ErrorCode.EmailNotVerified] : []),
        ],
      },
      isGuarded: isCookie,
      isLimited: true,
      isMinting: true,
    },
    'POST /refresh': {
      id: 'refresh',
      tag: SIGN_IN,
      summary: 'Trade the refresh token for its successor',
      description: 'A retry within the grace gets the same successor; any other use of an old token ends the session.',
      ...refreshCredential(settings),
      answers: { 200: tokenAnswer('The successors of both tokens.', settings) },
      errors: {
        400: [ErrorCode.RefreshTokenMissing],
        401: [ErrorCode.TokenNotValid, ErrorCode.RefreshTokenReused, ErrorCode.SessionExpired],
      },
      isGuarded: isCookie,
      isMinting: true,
    },
    'GET /.well-known/jwks.json': {
      id: 'keys',
      tag: SIGN_IN,
      summary: 'The public keys of the tokens',
      description: 'None where the tokens are signed with a secret.',
      answers: {
        200: jsonAnswer('A JWK set (RFC 7517).', schemaReference('AuthKeySet'), {
          'Cache-Control': 'How long the keys may be kept.',
        }),
      },
      isStatic: true,
    },
  };
}

function endingOperations(settings: Settings): Record<string, AuthOperation> {
  const isCookie = settings.refreshTokenAsCookie;
  const cleared: Record<string, string> = isCookie ? { 'Set-Cookie': 'Clears the refresh token.' } : {};
  return {
    'POST /logout': {
      id: 'logout',
      tag: SESSIONS,
      summary: 'Sign out',
      description: 'Ends the session of the refresh token. Doing it again is no error.',
      ...refreshCredential(settings),
      answers: { 204: emptyAnswer('Signed out.', cleared) },
      errors: { 400: [ErrorCode.RefreshTokenMissing], 401: [ErrorCode.TokenNotValid] },
      isGuarded: isCookie,
    },
    'POST /logout-all': {
      id: 'logoutAll',
      tag: SESSIONS,
      summary: 'Sign out everywhere',
      security: BEARER,
      answers: { 204: emptyAnswer('Every session has ended.', cleared) },
    },
    'GET /sessions': {
      id: 'sessions',
      tag: SESSIONS,
      summary: 'The own sessions, the one used last first',
      security: BEARER,
      answers: {
        200: jsonAnswer('At most 200 sessions.', { type: 'array', items: schemaReference('AuthSession') }),
      },
    },
    'DELETE /sessions/:id': {
      id: 'revokeSession',
      tag: SESSIONS,
      summary: 'End one of the own sessions',
      security: BEARER,
      answers: { 204: emptyAnswer('The session has ended.') },
      errors: { 404: [ErrorCode.SessionNotFound] },
    },
    'POST /sessions/revoke-others': {
      id: 'revokeOtherSessions',
      tag: SESSIONS,
      summary: 'End every session but this one',
      security: BEARER,
      answers: { 204: emptyAnswer('The others have ended.') },
    },
  };
}

function accountOperations(settings: Settings): Record<string, AuthOperation> {
  const profile = (description: string) => ({ 200: jsonAnswer(description, schemaReference('AuthProfile')) });
  const cleared: Record<string, string> = settings.refreshTokenAsCookie
    ? { 'Set-Cookie': 'Clears the refresh token.' }
    : {};
  return {
    'GET /user': {
      id: 'getUser',
      tag: ACCOUNT,
      summary: 'The own profile',
      security: BEARER,
      answers: profile('The profile.'),
    },
    'PATCH /user': {
      id: 'updateUser',
      tag: ACCOUNT,
      summary: 'Change the own profile',
      security: BEARER,
      body: 'AuthProfileInput',
      answers: profile('The profile as it is now.'),
    },
    'POST /password/change': {
      id: 'changePassword',
      tag: ACCOUNT,
      summary: 'Change the password',
      description: settings.logoutOnPasswordChange
        ? 'Every older session ends, and a new one begins.'
        : 'The session of the access token ends, and a new one begins.',
      security: BEARER,
      body: 'AuthPasswordChangeInput',
      answers: { 200: tokenAnswer('Tokens of a new session.', settings) },
      errors: { 401: [ErrorCode.IncorrectCredentials] },
      isLimited: true,
      isMinting: true,
    },
    'DELETE /user': {
      id: 'deleteUser',
      tag: ACCOUNT,
      summary: 'Delete the account and all it owns',
      security: BEARER,
      body: 'AuthAccountDeletionInput',
      answers: { 204: emptyAnswer('The account is gone.', cleared) },
      errors: { 401: [ErrorCode.IncorrectCredentials] },
      isLimited: true,
    },
  };
}

/** The refresh token of a request: a cookie, or a field of the body. */
function refreshCredential({ refreshTokenAsCookie }: Settings): Pick<AuthOperation, 'security' | 'body' | 'isParsed'> {
  return refreshTokenAsCookie ? { security: REFRESH_COOKIE, isParsed: true } : { body: 'AuthRefreshInput' };
}
