import { createTransport } from 'nodemailer';
import type { Settings } from '../settings/settings.js';
import { type Mail, Mailer } from './mailer.js';

/** Milliseconds that a mail server may take for its next word. */
const PATIENCE = 15_000;

/** Sends mails to the server of SMTP_URL. */
export class SmtpMailer extends Mailer {
  readonly #transport: ReturnType<typeof createTransport>;
  readonly #from: string;

  constructor({ smtpUrl = '', emailFrom = '', development }: Settings) {
    super();
    const timeouts = { connectionTimeout: PATIENCE, greetingTimeout: PATIENCE, socketTimeout: PATIENCE };
    const hasPassword = URL.canParse(smtpUrl) && new URL(smtpUrl).password !== ''; // not to be sent in clear
    this.#transport = createTransport({ url: smtpUrl, ...timeouts, requireTLS: hasPassword && !development });
    this.#from = emailFrom;
  }

  async send({ to, subject, text, html, messageId }: Mail & { readonly messageId: string }): Promise<void> {
    // Nothing that answers mails by itself shall answer this one (RFC 3834 §5).
    const headers = { 'Auto-Submitted': 'auto-generated' };
    await this.#transport.sendMail({
      from: this.#from,
      to: { name: '', address: to },
      subject,
      text,
      html,
      messageId,
      headers,
    });
  }
}
