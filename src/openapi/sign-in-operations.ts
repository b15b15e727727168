import { ErrorCode } from '../error.js';
import type { Settings } from '../settings/settings.js';
import { emptyAnswer, jsonAnswer } from './answer.js';
import type { AuthOperation } from './auth-operation.js';
import type { OpenApiResponse } from './open-api-document.js';
import { schemaReference } from './schema-reference.js';
import { refreshCredential, tokenAnswer } from './token-transport.js';

const TAG = 'Sign-in';

/** Our routes by which one gets tokens, by method and path below the prefix. */
export function signInOperations(settings: Settings): Readonly<Record<string, AuthOperation>> {
  const isCookie = settings.refreshTokenAsCookie;
  const isMandatory = settings.emailVerification === 'mandatory';
  const isSilent = isMandatory && settings.preventEnumeration;
  const mark = { 'Set-Cookie': 'Sets the cookie by which another link is for the sign-up of this browser.' };
  const nothing: Record<number, OpenApiResponse> = isCookie
    ? { 204: emptyAnswer('There is no refresh token, and the query has `quiet=true`.') }
    : {};
  return {
    'POST /registration': {
      id: 'register',
      tag: TAG,
      summary: 'Sign up',
      body: 'AuthRegistrationInput',
      answers: {
        201: isMandatory
          ? jsonAnswer('A mail is on its way; its link confirms the address.', schemaReference('AuthDetail'), mark)
          : tokenAnswer('Signed up and signed in.', settings),
      },
      errors: isSilent ? [] : [ErrorCode.EmailAlreadyRegistered],
      isGuarded: isCookie,
      isLimited: settings.emailVerification !== 'none' || settings.registrationRateLimit.length > 0,
      isMinting: !isMandatory,
    },
    'POST /login': {
      id: 'login',
      tag: TAG,
      summary: 'Sign in',
      body: 'AuthLoginInput',
      answers: { 200: tokenAnswer('Signed in.', settings) },
      errors: [
        ErrorCode.IncorrectCredentials,
        ErrorCode.NoActiveAccount,
        ...(isMandatory ? [ErrorCode.EmailNotVerified] : []),
      ],
      isGuarded: isCookie,
      isLimited: true,
      isMinting: true,
    },
    'POST /refresh': {
      id: 'refresh',
      tag: TAG,
      summary: 'Trade the refresh token for its successor',
      description: 'A retry within the grace gets the same successor; any other use of an old token ends the session.',
      ...refreshCredential(settings),
      ...(isCookie && { query: { quiet: 'With `true`, a request without a refresh token is answered by 204.' } }),
      answers: {
        200: tokenAnswer('The successors of both tokens.', settings),
        ...nothing,
      },
      errors: [
        ErrorCode.RefreshTokenMissing,
        ErrorCode.TokenNotValid,
        ErrorCode.RefreshTokenReused,
        ErrorCode.SessionExpired,
      ],
      isGuarded: isCookie,
      isMinting: true,
    },
    'GET /.well-known/jwks.json': {
      id: 'keys',
      tag: TAG,
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
