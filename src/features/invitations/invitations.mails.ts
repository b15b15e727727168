import type { MailWords } from '../../mail/mail-words.js';

/** The mails of this feature. */
export const INVITATIONS_MAILS = {
  invitation: {
    subject: 'You are invited',
    title: 'You are invited',
    before: 'You are invited to <%= it.app %>. Choose a password to come in:',
    action: 'Choose a password',
    after: 'The link is good for <%= it.expiresIn %>, once. If you do not want to come, you need do nothing.',
  },
} as const satisfies Record<string, MailWords>;
