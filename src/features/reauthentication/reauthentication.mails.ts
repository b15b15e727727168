import type { MailWords } from '../../mail/mail-words.js';

/** The mails of this feature. */
export const REAUTHENTICATION_MAILS = {
  reauthentication: {
    subject: 'Your code for <%= it.app %>',
    title: 'Your code',
    before: 'Enter this code where you are signed in at <%= it.app %>, within <%= it.expiresIn %>: <%= it.code %>',
    after:
      'If you did not request it, someone else may be using your account: sign out on all devices, and give the code ' +
      'to nobody.',
  },
} as const satisfies Record<string, MailWords>;
