import type { MailWords } from '../../mail/mail-words.js';

/** The mails of this feature. */
export const DEVICES_MAILS = {
  'session-stolen': {
    subject: 'Someone else may have used your account',
    title: 'Someone else may have used your account',
    before:
      'A sign-in of your account at <%= it.app %> was used from two places. It may have been copied, so it was ' +
      'ended. Your other devices stay signed in.',
    hint: 'If you do not know why, set a new password. This signs you out everywhere:',
    after: 'Sign in again to continue. Check the list of your devices, and sign out those that you do not know.',
  },
} as const satisfies Record<string, MailWords>;
