import type { MailWords } from '../../mail/mail-words.js';

/** The mails of this feature. */
export const DEVICES_MAILS = {
  'session-stolen': {
    subject: 'Somebody else may have used your account',
    title: 'Somebody else may have used your account',
    before:
      'A sign-in of your account at <%= it.app %> was used from two places. It may have been copied, so we ended it; ' +
      'your other devices stay signed in.',
    hint: 'If this surprises you, set a new password. It signs you out everywhere:',
    after: 'Sign in again to go on. Look at the list of your devices, and sign out those that you do not know.',
  },
} as const satisfies Record<string, MailWords>;
