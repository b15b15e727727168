/** The default texts of a mail, as Eta templates over `MailData`. The link is between `before` and `after`. */
export interface MailWords {
  readonly subject: string;
  readonly title: string;
  readonly before: string;
  /** The label of the button that opens the link. */
  readonly action?: string;
  /** In place of a button: the text before a link to PASSWORD_RESET_REQUEST_URL. */
  readonly hint?: string;
  readonly after: string;
}

/** The `hint` of notices whose reader may have forgotten the password. */
export const FORGOTTEN = 'If you forgot your password, ask for a new one here:';

/** The `hint` of notices about a change that a stranger may have made. */
export const NEW_PASSWORD = 'You can set a new password here:';

/** The `after` of the same notices. */
export const NOT_YOUR_CHANGE = 'If it was not you, set a new password at once, and contact us.';

/** A sentence for a reader who did not request the mail. */
export const NOT_YOU = 'If you did not request this, you can ignore this mail.';

/** The default text template of a mail. Its first line is the subject. */
export function defaultText({ subject, before, hint, after }: MailWords): string {
  const link = `<% if (it.link) { %>\n${hint ? `${hint}\n` : ''}<%~ it.link %>\n<% } %>`;
  return `Subject: ${subject}\n\n${before}\n${link}\n${after}\n`;
}

const BUTTON_STYLE =
  'display:inline-block;background:#1d4ed8;color:#ffffff;font-weight:600;text-decoration:none;padding:12px 20px;' +
  'border-radius:8px';

/** The default HTML template of a mail, for the body of the layout. */
export function defaultHtml({ title, before, action, hint, after }: MailWords): string {
  const link = '<a href="<%= it.link %>" style="color:#1d4ed8;word-break:break-all"><%= it.link %></a>';
  const button = action
    ? `<p style="margin:24px 0"><a href="<%= it.link %>" style="${BUTTON_STYLE}">${action}</a></p>`
    : `<p style="margin:0">${hint ?? ''}</p>`;
  return `<h1 style="font-size:22px;line-height:1.3;margin:0 0 16px">${title}</h1>
<p style="margin:0 0 16px">${before}</p>
<% if (it.link) { %>${button}<p style="margin:0 0 16px;font-size:14px">${link}</p><% } %>
<p style="margin:0">${after}</p>`;
}

/** The default HTML layout of mails: one column, no images, no external resources. */
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
