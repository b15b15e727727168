import { type MailWords, NEW_PASSWORD, NOT_YOUR_CHANGE } from '../../mail/mail-words.js';

/** The mails of this feature. */
export const PASSKEY_MAILS = {
  'passkey-added': {
    subject: 'A passkey was added to your account',
    title: 'A passkey was added to your account',
    before: 'A passkey was added to your account at <%= it.app %>. It can be used to sign in.',
    hint: NEW_PASSWORD,
    after: 'If it was not you, set a new password at once, then sign in and remove the passkey from your account.',
  },
  'passkey-removed': {
    subject: 'A passkey was removed from your account',
    title: 'A passkey was removed from your account',
    before: 'A passkey was removed from your account at <%= it.app %>. It cannot be used to sign in any more.',
    hint: NEW_PASSWORD,
    after: NOT_YOUR_CHANGE,
  },
  'passkey-disabled': {
    subject: 'A passkey of your account was disabled',
    title: 'A passkey of your account was disabled',
    before:
      'A possible copy of one of your passkeys was used at <%= it.app %>. This was refused, and the passkey does not ' +
      'work any more. Remove the passkey from your account, and add a new one.',
    hint: 'If you cannot sign in any more, set a new password:',
    after: 'If you use the passkey on one device only, and have not copied it, contact us.',
  },
  'passkeys-kept': {
    subject: 'Your passkeys still work',
    title: 'Your passkeys still work',
    before:
      'The password of your account at <%= it.app %> was set by mail. The passkeys of the account still work. Remove ' +
      'those that you do not know from your account.',
    hint: NEW_PASSWORD,
    after: NOT_YOUR_CHANGE,
  },
} as const satisfies Record<string, MailWords>;
