import { FORGOTTEN, type MailWords } from '../../mail/mail-words.js';

/** The mails of this feature. */
export const REGISTRATION_MAILS = {
  'account-exists': {
    subject: 'You already have an account',
    title: 'You already have an account',
    before:
      'Someone tried to sign up at <%= it.app %> with this address, but it already has an account. ' +
      'If it was you, sign in.',
    hint: FORGOTTEN,
    after: 'If it was not you, you do not need to do anything. Nothing has changed.',
  },
} as const satisfies Record<string, MailWords>;
