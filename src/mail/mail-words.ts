/**
 * The default words of a mail, as Eta templates. The data are those of `MailData`. The link stands between `before` and
 * `after`.
 */
export interface MailWords {
  readonly subject: string;
  readonly title: string;
  readonly before: string;
  /** The label of the button that opens the link. */
  readonly action?: string;
  /** In place of a button: what the link to the app's page for a new password (PASSWORD_RESET_REQUEST_URL) is for. */
  readonly hint?: string;
  readonly after: string;
}

/** What stands before the link in a notice about a password that somebody may have forgotten. */
export const FORGOTTEN = 'If you forgot your password, ask for a new one here:';

/** What a mail says to a person who did not ask for it. */
export const NOT_YOU = 'If it was not you who asked for this, you need do nothing.';

/** The default template of a mail as text: its first line is the subject. */
export function defaultText({ subject, before, hint, after }: MailWords): string {
  const link = `<% if (it.link) { %>\n${hint ? `${hint}\n` : ''}<%~ it.link %>\n<% } %>`;
  return `Subject: ${subject}\n\n${before}\n${link}\n${after}\n`;
}

const BUTTON_STYLE =
  'display:inline-block;background:#1d4ed8;color:#ffffff;font-weight:600;text-decoration:none;padding:12px 20px;' +
  'border-radius:8px';

/** The default template of a mail as HTML, to stand in the layout. */
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
