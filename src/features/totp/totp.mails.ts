import { type MailWords, NEW_PASSWORD, NOT_YOUR_CHANGE } from '../../mail/mail-words.js';

/** The mails of this feature. */
export const TOTP_MAILS = {
  'totp-enabled': {
    subject: 'Your account has a second factor',
    title: 'Your account has a second factor',
    before:
      'Your account at <%= it.app %> now asks for a code of your authenticator app when you sign in. ' +
      'Keep your recovery codes in a safe place.',
    hint: NEW_PASSWORD,
    after: NOT_YOUR_CHANGE,
  },
  'totp-disabled': {
    subject: 'The second factor was removed from your account',
    title: 'The second factor was removed from your account',
    before:
      'Your account at <%= it.app %> no longer asks for a code of your authenticator app. ' +
      'The recovery codes do not work any more.',
    hint: NEW_PASSWORD,
    after: NOT_YOUR_CHANGE,
  },
  'recovery-codes-created': {
    subject: 'You have new recovery codes',
    title: 'You have new recovery codes',
    before: 'New recovery codes were made for your account at <%= it.app %>. The old ones do not work any more.',
    hint: NEW_PASSWORD,
    after: NOT_YOUR_CHANGE,
  },
  'recovery-codes-removed': {
    subject: 'Your recovery codes were removed',
    title: 'Your recovery codes were removed',
    before:
      'The change of the address of your account at <%= it.app %> was undone. Your recovery codes are newer than ' +
      'that change, and someone else may have made them. So they do not work any more. Sign in with your ' +
      'authenticator app, and get new ones in your account.',
    hint: NEW_PASSWORD,
    after: NOT_YOUR_CHANGE,
  },
  'recovery-code-used': {
    subject: 'A recovery code was used',
    title: 'A recovery code was used',
    before:
      'One of your recovery codes was used at <%= it.app %>. It does not work again. ' +
      'If you have lost your authenticator app, set up a new one in your account.',
    hint: NEW_PASSWORD,
    after: NOT_YOUR_CHANGE,
  },
} as const satisfies Record<string, MailWords>;
