import type { createTransport } from 'nodemailer';
import { isLoopback } from '../loopback.js';
import type { Settings } from '../settings/settings.js';
import { type Mail, Mailer } from './mailer.js';

/** How long to wait for each response of the mail server. */
const TIMEOUT_MS = 15_000;

/**
 * Sends mails to the server of SMTP_URL. In production it requires TLS (STARTTLS or `smtps:`), because mails contain
 * secret links. A server on the same machine does not need TLS, unless the URL has a password.
 */
export class SmtpMailer extends Mailer {
  readonly #options: Parameters<typeof createTransport>[0];
  readonly #from: string;
  #transport: ReturnType<typeof createTransport> | undefined;

  constructor({ smtpUrl = '', emailFrom = '', development }: Settings) {
    super();
    const timeouts = { connectionTimeout: TIMEOUT_MS, greetingTimeout: TIMEOUT_MS, socketTimeout: TIMEOUT_MS };
    const { password, hostname } = URL.canParse(smtpUrl) ? new URL(smtpUrl) : { password: '', hostname: '' };
    const requireTLS = !development && (password !== '' || !isLoopback(hostname));
    this.#options = { url: smtpUrl, ...timeouts, requireTLS };
    this.#from = emailFrom;
  }

  async send({ to, subject, text, html, messageId }: Mail & { readonly messageId: string }): Promise<void> {
    // Prevents automatic replies (RFC 3834 §5).
    const headers = { 'Auto-Submitted': 'auto-generated' };
    const transport = await this.#connect();
    await transport.sendMail({
      from: this.#from,
      to: { name: '', address: to },
      subject,
      text,
      html,
      messageId,
      headers,
    });
  }

  /** The first mail loads nodemailer. A start without it is a tenth of a second shorter, and needs 16 MB less. */
  async #connect(): Promise<ReturnType<typeof createTransport>> {
    const { createTransport } = await import('nodemailer');
    this.#transport ??= createTransport(this.#options);
    return this.#transport;
  }
}
