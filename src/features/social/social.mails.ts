import { type MailWords, NEW_PASSWORD, NOT_YOUR_CHANGE } from '../../mail/mail-words.js';

/** The mails of this feature. */
export const SOCIAL_MAILS = {
  'provider-connected': {
    subject: 'Your account has a new way to sign in',
    title: 'Your account has a new way to sign in',
    before: 'An account of a provider was connected to your account at <%= it.app %>. It can be used to sign in.',
    hint: NEW_PASSWORD,
    after: NOT_YOUR_CHANGE,
  },
  'provider-disconnected': {
    subject: 'A way to sign in was removed from your account',
    title: 'A way to sign in was removed from your account',
    before: 'An account of a provider was disconnected from your account at <%= it.app %>.',
    hint: NEW_PASSWORD,
    after: NOT_YOUR_CHANGE,
  },
} as const satisfies Record<string, MailWords>;
