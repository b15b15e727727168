import type { MailWords } from '../../mail/mail-words.js';

/** The mails of this feature. */
export const INVITATIONS_MAILS = {
  invitation: {
    subject: 'You are invited',
    title: 'You are invited',
    before: 'You are invited to <%= it.app %>. Choose a password to accept:',
    action: 'Choose a password',
    after: 'The link works once, for <%= it.expiresIn %>. If you do not want to join, you do not need to do anything.',
  },
} as const satisfies Record<string, MailWords>;
