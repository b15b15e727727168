/** A mail in its default words, as Eta; the link stands between `before` and `after`. */
interface Words {
  readonly subject: string;
  readonly title: string;
  readonly before: string;
  /** What the button says, or, without one, what the link is for. */
  readonly action?: string;
  readonly hint?: string;
  readonly after: string;
}

const FORGOTTEN = 'If you forgot your password, ask for a new one here:';

const NOT_YOU = 'If it was not you who asked for this, you need do nothing.';

const WORDS = {
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
  'account-exists': {
    subject: 'You have an account already',
    title: 'You have an account already',
    before:
      'Somebody tried to sign up at <%= it.app %> with this address, for which there is an account. ' +
      'If it was you, sign in.',
    hint: FORGOTTEN,
    after: 'If it was not you, you need do nothing: nobody was let in.',
  },
  'password-reset': {
    subject: 'Set a new password',
    title: 'Set a new password',
    before: 'Somebody asked for a new password at <%= it.app %>. If it was you, open this link:',
    action: 'Set a new password',
    after: `It is good for <%= it.expiresIn %>, once. ${NOT_YOU} Your password stays as it is.`,
  },
  'password-changed': {
    subject: 'Your password was changed',
    title: 'Your password was changed',
    before: 'The password of your account at <%= it.app %> was changed just now.',
    hint: 'You can ask for a new one here:',
    after: 'If it was not you, ask for a new password at once.',
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
  invitation: {
    subject: 'You are invited',
    title: 'You are invited',
    before: 'You are invited to <%= it.app %>. Choose a password to come in:',
    action: 'Choose a password',
    after: 'The link is good for <%= it.expiresIn %>, once. If you do not want to come, you need do nothing.',
  },
  'session-stolen': {
    subject: 'Somebody else may have used your account',
    title: 'Somebody else may have used your account',
    before:
      'A sign-in of your account at <%= it.app %> was used from two places. It may have been copied, so we ended it; ' +
      'your other devices stay signed in.',
    hint: 'If this surprises you, set a new password. It signs you out everywhere:',
    after: 'Sign in again to go on. Look at the list of your devices, and sign out those that you do not know.',
  },
  'account-deleted': {
    subject: 'Your account was deleted',
    title: 'Your account was deleted',
    before: 'Your account at <%= it.app %> was deleted, as you asked for, with all that belonged to it.',
    after: 'You will get no more mails from us.',
  },
} as const satisfies Record<string, Words>;

/** The mails that are sent. */
export type MailName = keyof typeof WORDS;

/** The names of all mails. */
export const MAIL_NAMES = Object.keys(WORDS) as readonly MailName[];

/** The default template of a mail as text: its first line is the subject. */
export function defaultText(name: MailName): string {
  const { subject, before, hint, after }: Words = WORDS[name];
  const link = `<% if (it.link) { %>\n${hint ? `${hint}\n` : ''}<%~ it.link %>\n<% } %>`;
  return `Subject: ${subject}\n\n${before}\n${link}\n${after}\n`;
}

const BUTTON_STYLE =
  'display:inline-block;background:#1d4ed8;color:#ffffff;font-weight:600;text-decoration:none;padding:12px 20px;' +
  'border-radius:8px';

/** The default template of a mail as HTML, to stand in the layout. */
export function defaultHtml(name: MailName): string {
  const { title, before, action, hint, after }: Words = WORDS[name];
  const link = '<a href="<%= it.link %>" style="color:#1d4ed8;word-break:break-all"><%= it.link %></a>';
  const button = action
    ? `<p style="margin:24px 0"><a href="<%= it.link %>" style="${BUTTON_STYLE}">${action}</a></p>`
    : `<p style="margin:0">${hint ?? ''}</p>`;
  return `<h1 style="font-size:22px;line-height:1.3;margin:0 0 16px">${title}</h1>
<p style="margin:0 0 16px">${before}</p>
<% if (it.link) { %>${button}<p style="margin:0 0 16px;font-size:14px">${link}</p><% } %>
<p style="margin:0">${after}</p>`;
}

/** The layout around every mail as HTML: one column, no picture, nothing from elsewhere. */
export const DEFAULT_LAYOUT = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light">
<title><%= it.subject %></title>
</head>
<body style="margin:0;padding:24px 12px;background:#f3f4f6;color:#111827;
font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif">
<div style="max-width:520px;margin:0 auto;background:#ffffff;border-radius:12px;padding:32px;overflow-wrap:anywhere">
<%~ it.body %>
</div>
<p style="max-width:520px;margin:16px auto 0;text-align:center;color:#4b5563;font-size:13px"><%= it.app %></p>
</body>
</html>
`;
