import { type MailWords, NOT_YOU } from '../../mail/mail-words.js';

/** The mails of this feature. */
export const EMAIL_MAILS = {
  'email-verification': {
    subject: 'Confirm your e-mail address',
    title: 'Confirm your e-mail address',
    before:
      'Someone signed up at <%= it.app %> with this address' +
      '<% if (it.signedUpAt) { %>, at <%= it.signedUpAt %><% if (it.signedUpFrom) { %>, from <%= it.signedUpFrom %>' +
      '<% } } %>. If it was you, open this link:',
    action: 'Confirm address',
    after:
      'The link works for <%= it.expiresIn %>. If you did not sign up, or not at that time, do not open it: it would ' +
      'let someone else sign in with your address. You do not need to do anything.',
  },
  'several-sign-ups': {
    subject: 'Several sign-ups are waiting for confirmation',
    title: 'Several sign-ups are waiting for confirmation',
    before:
      'Someone asked at <%= it.app %> for another link to confirm this address. There are several sign-ups with it, ' +
      'and someone else may have made one. So this mail has no link.',
    after:
      'If you asked for it, open the mail of your own sign-up: it says when you signed up. Or ask again in the ' +
      'browser in which you signed up, or sign up again. If it was not you, you do not need to do anything.',
  },
  'email-change': {
    subject: 'Confirm your new e-mail address',
    title: 'Confirm your new e-mail address',
    before: 'Someone wants to use this address for an account at <%= it.app %>. If it was you, open this link:',
    action: 'Use this address',
    after: `The link works for <%= it.expiresIn %>. ${NOT_YOU}`,
  },
  'email-change-notice': {
    subject: 'Your e-mail address is about to change',
    title: 'Your e-mail address is about to change',
    before:
      'Someone who is signed in to your account at <%= it.app %> asked to change its address to <%= it.newEmail %>. ' +
      'It changes when the link that was sent there is opened.',
    after: 'If it was not you, set a new password at once. This stops the change.',
  },
  'email-changed': {
    subject: 'Your e-mail address was changed',
    title: 'Your e-mail address was changed',
    before: 'The address of your account at <%= it.app %> was changed from this one to <%= it.newEmail %>.',
    action: 'Undo the change',
    after:
      '<% if (it.link) { %>If it was you, you do not need to do anything. If it was not you, open the link within ' +
      '<%= it.expiresIn %>: this restores your address, signs out all devices, and lets you choose a new password.' +
      '<% } else { %>If it was not you, ask for help at <%= it.app %>.<% } %>',
  },
} as const satisfies Record<string, MailWords>;
