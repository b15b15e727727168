import type { MailWords } from '../../mail/mail-words.js';

/** The mails of this feature. */
export const ACCOUNT_MAILS = {
  'account-deleted': {
    subject: 'Your account was deleted',
    title: 'Your account was deleted',
    before: 'Your account at <%= it.app %> was deleted, as you asked for, with all that belonged to it.',
    after: 'You will get no more mails from us.',
  },
} as const satisfies Record<string, MailWords>;
