import type { MailWords } from '../../mail/mail-words.js';

/** The mails of this feature. */
export const ACCOUNT_MAILS = {
  'account-deleted': {
    subject: 'Your account was deleted',
    title: 'Your account was deleted',
    before: 'Your account at <%= it.app %> and its data were deleted, as you asked.',
    after: 'You will not get any more mails about it.',
  },
} as const satisfies Record<string, MailWords>;
