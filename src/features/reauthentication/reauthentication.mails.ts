import type { MailWords } from '../../mail/mail-words.js';

/** The mails of this feature. */
export const REAUTHENTICATION_MAILS = {
  reauthentication: {
    subject: 'Confirm that it is you',
    title: 'Confirm that it is you',
    before: 'Enter this code where you are signed in at <%= it.app %>, within <%= it.expiresIn %>: <%= it.code %>',
    after:
      'If you did not request it, someone else may be using your account: sign out on all devices, and do not ' +
      'give the code to anyone.',
  },
} as const satisfies Record<string, MailWords>;
