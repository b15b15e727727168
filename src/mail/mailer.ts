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
   * Hands a mail over, within four minutes: after five another server may send it too. When this throws it is tried again
   * later, unless the error has `responseCode` 550 to 559 and `command` `RCPT TO` or `DATA`, by which a server of SMTP says
   * that it will never take it. `messageId` is the same for every try of one mail, so that a receiver can know a repetition.
   */
  abstract send(mail: Mail & { readonly messageId: string }): Promise<void>;
}
