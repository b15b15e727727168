import { type Mail, Mailer } from './mailer.js';

/** Prints mails on the console, for development. */
export class ConsoleMailer extends Mailer {
  async send({ to, subject, text }: Mail): Promise<void> {
    const line = '─'.repeat(72);
    console.log(`${line}\nTo: ${to}\nSubject: ${subject}\n\n${text}\n${line}`);
  }
}
