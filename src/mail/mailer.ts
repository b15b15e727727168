/** A mail, ready to be sent. */
export interface Mail {
  /** One address. */
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** Sends mails. The default uses SMTP; an app extends this class to use another service. */
export abstract class Mailer {
  /**
   * Sends a mail. It must end within four minutes, because after five minutes another server may send the mail as well.
   *
   * If it throws, the mail is retried later, unless the error means that the mailbox does not exist. Such an error has
   * these properties:
   *
   * - `command`: `RCPT TO` or `DATA`, `responseCode`: 550 to 559, and `response`: a reply with an enhanced status code
   *   such as 5.1.1, as in `550 5.1.1 Unknown user` (RFC 3463);
   * - or, if the reply has no enhanced code, `command`: `RCPT TO`, and `responseCode`: 550, 551 or 553.
   *
   * @param mail with a `messageId` that is the same for every attempt, so that receivers can detect duplicates
   */
  abstract send(mail: Mail & { readonly messageId: string }): Promise<void>;
}
