import type { MailWords } from '../../mail/mail-words.js';

/** The mails of this feature. */
export const PASSWORD_MAILS = {
  'password-changed': {
    subject: 'Your password was changed',
    title: 'Your password was changed',
    before: 'The password of your account at <%= it.app %> was changed.',
    hint: 'You can request a new password here:',
    after: 'If it was not you, request a new password at once.',
  },
} as const satisfies Record<string, MailWords>;
