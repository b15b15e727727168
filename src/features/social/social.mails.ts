import type { MailWords } from '../../mail/mail-words.js';

const RESET = 'If it was not you, set a new password at once:';
const CONTACT = 'If it was not you, set a new password at once, and contact us.';

/** The mails of this feature. */
export const SOCIAL_MAILS = {
  'provider-connected': {
    subject: 'Your account has a new way to sign in',
    title: 'Your account has a new way to sign in',
    before: 'An account of a provider was connected to your account at <%= it.app %>. It can be used to sign in.',
    hint: RESET,
    after: CONTACT,
  },
  'provider-disconnected': {
    subject: 'A way to sign in was removed from your account',
    title: 'A way to sign in was removed from your account',
    before: 'An account of a provider was disconnected from your account at <%= it.app %>.',
    hint: RESET,
    after: CONTACT,
  },
} as const satisfies Record<string, MailWords>;
