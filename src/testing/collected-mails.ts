import { EventEmitter, once } from 'node:events';
import { type Mail, Mailer } from '../mail/mailer.js';

/** Milliseconds after which a mail is not waited for any longer. */
const PATIENCE = 10_000;

/** A mailer that keeps the mails instead of sending them. */
export class CollectedMails extends Mailer {
  /** Everything that was sent, oldest first. */
  readonly all: Mail[] = [];
  readonly #sent = new EventEmitter();

  async send({ to, subject, text, html }: Mail): Promise<void> {
    this.all.push({ to, subject, text, html });
    this.#sent.emit('mail');
  }

  /** The latest mail to an address, once there is one: mails leave shortly after the answer. @throws after 10 seconds */
  async to(address: string): Promise<Mail> {
    const signal = AbortSignal.timeout(PATIENCE);
    for (;;) {
      const mail = this.all.findLast(({ to }) => to === address);
      if (mail) return mail;
      await once(this.#sent, 'mail', { signal }).catch((cause) => {
        throw new Error(`no mail was sent to ${address} within 10 seconds`, { cause });
      });
    }
  }

  /** Where the latest mail to somebody leads. @throws when there is no link in it */
  async linkTo(address: string): Promise<string> {
    const [link] = /https?:\/\/\S+/.exec((await this.to(address)).text) ?? [];
    if (!link) throw new Error(`there is no link in the mail to ${address}`);
    return link;
  }
}
