import { type MailWords, NOT_YOU } from '../../mail/mail-words.js';

const CODE = 'Or enter this code where you asked for this mail: <%= it.code %>';
const LIMITS = 'Link and code work once, for <%= it.expiresIn %>. Do not give the code to anyone.';

/** The mails of this feature. */
export const MAGIC_LINK_MAILS = {
  'magic-link': {
    subject: 'Sign in to <%= it.app %>',
    title: 'Sign in to <%= it.app %>',
    before: 'Someone asked to sign in to <%= it.app %> with this address. If it was you, open this link:',
    action: 'Sign in',
    after: `${CODE}\n\n${LIMITS} ${NOT_YOU}`,
  },
  'magic-link-sign-up': {
    subject: 'Create your account at <%= it.app %>',
    title: 'Create your account at <%= it.app %>',
    before:
      'Someone asked to sign in to <%= it.app %> with this address, which has no account yet. ' +
      'If it was you, open this link to create the account:',
    action: 'Create the account',
    after: `${CODE}\n\n${LIMITS} ${NOT_YOU}`,
  },
  'magic-link-no-account': {
    subject: 'You have no account at <%= it.app %>',
    title: 'You have no account at <%= it.app %>',
    before:
      'Someone asked to sign in to <%= it.app %> with this address, but it has no account. ' +
      'If it was you, sign up there, or sign in with another address.',
    after: NOT_YOU,
  },
} as const satisfies Record<string, MailWords>;
