import { type MailWords, NOT_YOU } from '../../mail/mail-words.js';

/** The mails of this feature. */
export const PASSWORD_BY_MAIL_MAILS = {
  'password-reset': {
    subject: 'Set a new password',
    title: 'Set a new password',
    before: 'Someone asked for a new password at <%= it.app %>. If it was you, open this link:',
    action: 'Set a new password',
    after: `The link works once, for <%= it.expiresIn %>. ${NOT_YOU} Your password stays as it is.`,
  },
} as const satisfies Record<string, MailWords>;
