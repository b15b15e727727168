import { type MailWords, NOT_YOU } from '../../mail/mail-words.js';

/** The mails of this feature. */
export const EMAIL_MAILS = {
  'email-verification': {
    subject: 'Confirm your e-mail address',
    title: 'Confirm your e-mail address',
    before:
      'Somebody signed up at <%= it.app %> with this address' +
      '<% if (it.signedUpAt) { %>, at <%= it.signedUpAt %><% if (it.signedUpFrom) { %>, from <%= it.signedUpFrom %>' +
      '<% } } %>. If it was you, open this link:',
    action: 'Confirm address',
    after:
      'It is good for <%= it.expiresIn %>. If it was not you, or not at that time, do not open it: it confirms the ' +
      'password that somebody else chose. You need do nothing.',
  },
  'several-sign-ups': {
    subject: 'Several sign-ups wait to be confirmed',
    title: 'Several sign-ups wait to be confirmed',
    before:
      'Somebody asked at <%= it.app %> for another link to confirm this address. Several sign-ups with it wait, and ' +
      'somebody else may have made one, with a password that you do not know. So there is no link in this mail.',
    after:
      'If it was you who asked, open the mail of your own sign-up: it says when it was made. Or ask again in the ' +
      'browser in which you signed up, or sign up once more. If it was not you, you need do nothing.',
  },
  'email-change': {
    subject: 'Confirm your new e-mail address',
    title: 'Confirm your new e-mail address',
    before: 'Somebody wants to use this address for an account at <%= it.app %>. If it was you, open this link:',
    action: 'Use this address',
    after: `It is good for <%= it.expiresIn %>. ${NOT_YOU}`,
  },
  'email-change-notice': {
    subject: 'Your e-mail address is about to change',
    title: 'Your e-mail address is about to change',
    before:
      'Somebody who knows your password asked to change the address of your account at <%= it.app %> to ' +
      '<%= it.newEmail %>. It changes when the link that was sent there is opened.',
    after: 'If it was not you, change your password at once: that ends it.',
  },
  'email-changed': {
    subject: 'Your e-mail address was changed',
    title: 'Your e-mail address was changed',
    before: 'The address of your account at <%= it.app %> was changed from this one to <%= it.newEmail %>.',
    action: 'Undo the change',
    after:
      '<% if (it.link) { %>If it was you, you need do nothing. If it was not you, open the link within ' +
      '<%= it.expiresIn %>: this address comes back, everybody is signed out, and you choose a new password.' +
      '<% } else { %>If it was not you, ask for help at <%= it.app %>.<% } %>',
  },
} as const satisfies Record<string, MailWords>;
