import { EventEmitter, once } from 'node:events';
import { type Mail, Mailer } from '../mail/mailer.js';
import { normalizeEmail } from '../users/email.js';

/** How long to wait for a mail, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** A mailer that collects mails instead of sending them. */
export class CollectedMails extends Mailer {
  /** All mails, oldest first. */
  readonly all: Mail[] = [];
  readonly #sent = new EventEmitter();

  async send({ to, subject, text, html }: Mail): Promise<void> {
    this.all.push({ to, subject, text, html });
    this.#sent.emit('mail');
  }

  /**
   * The latest mail to an address. Waits until there are `count` mails to it, because mails are sent shortly after the
   * answer. Addresses are compared as the library compares them.
   *
   * @throws after 10 seconds
   */
  async to(address: string, count = 1): Promise<Mail> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    for (;;) {
      const mails = this.all.filter(({ to }) => normalizeEmail(to) === normalizeEmail(address));
      const latest = mails.at(-1);
      if (latest && mails.length >= count) return latest;
      await once(this.#sent, 'mail', { signal }).catch((cause) => {
        const what = count === 1 ? 'no mail was' : `not ${count} mails, but ${mails.length}, were`;
        throw new Error(`${what} sent to ${address} within 10 seconds`, { cause });
      });
    }
  }

  /**
   * The link in the latest mail to an address. Waits until there are `count` mails to it. @throws if the mail has no
   * link
   */
  async linkTo(address: string, count = 1): Promise<string> {
    const [link] = /https?:\/\/\S+/.exec((await this.to(address, count)).text) ?? [];
    if (!link) throw new Error(`there is no link in the mail to ${address}`);
    return link;
  }

  /**
   * The code in the latest mail to an address, which is at the end of a line. Waits until there are `count` mails to
   * it. @throws if the mail has no code
   */
  async codeTo(address: string, count = 1): Promise<string> {
    const [, code] = /: (\d{6}|[\dA-Z]{4}-[\dA-Z]{4})$/m.exec((await this.to(address, count)).text) ?? [];
    if (!code) throw new Error(`there is no code in the mail to ${address}`);
    return code;
  }

  /** Removes all mails. */
  clear(): void {
    this.all.length = 0;
  }
}
