import { FORGOTTEN, type MailWords } from '../../mail/mail-words.js';

/** The mails of this feature. */
export const REGISTRATION_MAILS = {
  'account-exists': {
    subject: 'You have an account already',
    title: 'You have an account already',
    before:
      'Somebody tried to sign up at <%= it.app %> with this address, for which there is an account. ' +
      'If it was you, sign in.',
    hint: FORGOTTEN,
    after: 'If it was not you, you need do nothing: nobody was let in.',
  },
} as const satisfies Record<string, MailWords>;
