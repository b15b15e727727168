import { LINK_PATHS } from '../accounts/link-paths.js';
import { ErrorCode } from '../error.js';
import { invitationFlow, type MailedPasswordFlow, passwordResetFlow } from '../http/mailed-password-flow.js';
import type { Settings } from '../settings/settings.js';
import { emptyAnswer, jsonAnswer, pageAnswer } from './answer.js';
import type { AuthOperation } from './auth-operation.js';
import { newPasswordSchema } from './input-schema.js';
import { schemaReference } from './schema-reference.js';
import { BEARER, INVITATION_COOKIE, RESET_COOKIE, UNDO_COOKIE } from './security-schemes.js';
import { tokenAnswer } from './token-transport.js';

const TAG = 'Accounts by mail';

/** Our routes that send or open mails, by method and path below the prefix. */
export function mailOperations(settings: Settings): Readonly<Record<string, AuthOperation>> {
  return {
    ...requestOperations(),
    ...confirmationOperations(settings),
    ...undoOperations(),
    ...passwordOperations(passwordResetFlow(settings), settings, {
      id: 'PasswordReset',
      setNewId: 'resetPassword',
      cookie: RESET_COOKIE,
      subject: 'a forgotten password',
    }),
    ...passwordOperations(invitationFlow(settings), settings, {
      id: 'Invitation',
      setNewId: 'acceptInvitation',
      cookie: INVITATION_COOKIE,
      subject: 'an invitation',
    }),
  };
}

const detail = (description: string) => jsonAnswer(description, schemaReference('AuthDetail'));

function requestOperations(): Record<string, AuthOperation> {
  return {
    'POST /registration/verification/resend': {
      id: 'resendVerification',
      tag: TAG,
      summary: 'Ask for another link that confirms an address',
      description: 'It is for the sign-up of this browser, known by its cookie, or for the only one that waits.',
      body: 'AuthEmailInput',
      answers: { 202: detail('Always the same.') },
      isLimited: true,
    },
    'POST /password/reset': {
      id: 'requestPasswordReset',
      tag: TAG,
      summary: 'Ask for a link to a new password',
      body: 'AuthEmailInput',
      answers: { 202: detail('Always the same.') },
      isLimited: true,
    },
    'POST /email/change': {
      id: 'changeEmail',
      tag: TAG,
      summary: 'Ask for another address',
      description: 'The address changes when the link that is mailed to the new one is opened.',
      security: BEARER,
      body: 'AuthEmailChangeInput',
      answers: { 202: detail('Always the same, also for an address that is taken.') },
      errors: [ErrorCode.IncorrectCredentials],
      isLimited: true,
    },
    'POST /registration/user-register': {
      id: 'invite',
      tag: TAG,
      summary: 'Invite a user',
      security: BEARER,
      body: 'AuthInvitationInput',
      answers: { 201: detail('The invitation is mailed.') },
      errors: [ErrorCode.PermissionDenied, ErrorCode.EmailAlreadyRegistered],
      isLimited: true,
    },
  };
}

function confirmationOperations(settings: Settings): Record<string, AuthOperation> {
  const cookies: Record<string, string> = settings.sessionOnEmailVerification
    ? { 'Set-Cookie': 'Sets the refresh token in the browser that signed up.' }
    : {};
  const said = 'The address is confirmed.';
  return {
    [`GET ${LINK_PATHS.confirmation}/:key`]: {
      id: 'openVerification',
      tag: TAG,
      summary: 'Open the link that confirms an address',
      answers: settings.emailVerifiedRedirect
        ? { 303: emptyAnswer(`${said} On to the app's page.`, { Location: 'EMAIL_VERIFIED_REDIRECT.', ...cookies }) }
        : { 200: pageAnswer(said, cookies) },
      errors: [ErrorCode.TokenNotValid],
      isLimited: true,
      isMinting: settings.sessionOnEmailVerification,
      isPage: true,
    },
  };
}

function undoOperations(): Record<string, AuthOperation> {
  const page = { tag: TAG, errors: [ErrorCode.TokenNotValid], isLimited: true, isPage: true } as const;
  return {
    [`GET ${LINK_PATHS.emailUndo}/:key`]: {
      ...page,
      id: 'openEmailUndo',
      summary: 'Open the link that takes a changed address back',
      description: 'Moves the key of the link into a cookie; uses nothing up.',
      answers: {
        303: emptyAnswer('On to the question.', {
          Location: 'The question.',
          'Set-Cookie': 'Sets the cookie of the link.',
        }),
      },
    },
    [`GET ${LINK_PATHS.emailUndoForm}`]: {
      ...page,
      id: 'showEmailUndoForm',
      summary: 'The question whether to take a changed address back',
      security: UNDO_COOKIE,
      answers: { 200: pageAnswer('The question.') },
    },
    [`POST ${LINK_PATHS.emailUndoForm}`]: {
      ...page,
      id: 'undoEmailChange',
      summary: 'Take a changed address back',
      description: 'Every session and the password end. The page leads to a new password.',
      security: UNDO_COOKIE,
      answers: {
        200: pageAnswer('The address is back.', {
          'Set-Cookie': 'Clears the cookie of the link, and sets that of a new password.',
        }),
      },
      isGuarded: true,
    },
  };
}

/** From a mailed link to a password: the same for a reset and for an invitation. */
function passwordOperations(
  { link, setNew, form, appForm }: MailedPasswordFlow,
  settings: Settings,
  { id, setNewId, cookie, subject }: Readonly<Record<'id' | 'setNewId' | 'cookie' | 'subject', string>>,
): Record<string, AuthOperation> {
  const page = { tag: TAG, errors: [ErrorCode.TokenNotValid], isLimited: true, isPage: true } as const;
  const cleared = 'Clears the cookie of the link.';
  return {
    [`GET ${link}/:key`]: {
      ...page,
      id: `open${id}`,
      summary: `Open the link of ${subject}`,
      description: 'Moves the key of the link into a cookie; uses nothing up.',
      answers: {
        303: emptyAnswer(appForm ? "On to the app's form." : 'On to the form.', {
          Location: 'The form.',
          'Set-Cookie': 'Sets the cookie of the link.',
        }),
      },
    },
    [`POST ${setNew}`]: {
      id: setNewId,
      tag: TAG,
      summary: `Set the password of ${subject}, by the app's own form`,
      security: cookie,
      body: 'AuthNewPasswordInput',
      answers: { 200: tokenAnswer('The password is set; whoever set it is signed in.', settings, [cleared]) },
      errors: [ErrorCode.TokenNotValid],
      isGuarded: true,
      isLimited: true,
      isMinting: true,
    },
    [`GET ${form}`]: {
      ...page,
      id: `show${id}Form`,
      summary: `The form of ${subject}`,
      security: cookie,
      answers: { 200: pageAnswer('The form.') },
    },
    [`POST ${form}`]: {
      ...page,
      id: `submit${id}Form`,
      summary: `Submit the form of ${subject}`,
      security: cookie,
      body: {
        form: { type: 'object', properties: { newPassword: newPasswordSchema }, required: ['newPassword'] },
      },
      answers: { 200: pageAnswer('The password is set.', { 'Set-Cookie': cleared }) },
      isGuarded: true,
      isMinting: settings.refreshTokenAsCookie,
    },
  };
}
