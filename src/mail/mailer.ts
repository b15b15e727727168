/** A mail, ready to be sent. */
export interface Mail {
  /** One address. */
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** How mails leave: over SMTP by default; an app extends this to hand them to something else. */
export abstract class Mailer {
  /**
   * Hands a mail over, within four minutes: after five another server may send it too. When this throws it is tried
   * again later, unless the error says that the mailbox does not exist: `command` `RCPT TO` with `responseCode` 550,
   * 551 or 553, or a `response` of a server of SMTP with an enhanced code such as 5.1.1 (RFC 3463). `messageId` is the
   * same for every try of one mail, so that a receiver can know a repetition.
   */
  abstract send(mail: Mail & { readonly messageId: string }): Promise<void>;
}
