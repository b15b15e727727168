import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';

/** A real SMTP server that stores the mails it receives. */
export interface MailSink {
  readonly url: string;
  /** The received mails, oldest first. */
  readonly mails: ParsedMail[];
  /** The number of delivery attempts. */
  readonly tries: number;
  /** The user names of sign-ins, with any password. */
  readonly logins: string[];
  /** Refuses every mail with this code and text from now on; 0 accepts mails again. */
  refuseWith(code: number, text?: string): void;
  /** Refuses the content of every mail, after DATA. */
  refuseDataWith(code: number, text?: string): void;
  /** Refuses every sender with this code from now on, before it receives a recipient; 0 accepts them again. */
  refuseSendersWith(code: number): void;
  close(): Promise<void>;
}

export async function startMailSink(): Promise<MailSink> {
  const mails: ParsedMail[] = [];
  const logins: string[] = [];
  let refusal: readonly [code: number, text: string] = [0, ''];
  let dataRefusal = refusal;
  let senderRefusal = 0;
  let tries = 0;
  const answer = (code: number, text = 'not now') =>
    code ? Object.assign(new Error(text), { responseCode: code }) : null;
  const server = new SMTPServer({
    authOptional: true,
    allowInsecureAuth: true,
    onAuth: ({ username = '' }, _session, callback) => {
      logins.push(username);
      callback(null, { user: username });
    },
    disabledCommands: ['STARTTLS'],
    onMailFrom: (_address, _session, callback) => callback(answer(senderRefusal)),
    onRcptTo: (_address, _session, callback) => {
      tries++;
      callback(answer(...refusal));
    },
    onData: (stream, _session, callback) => {
      simpleParser(stream).then(
        (mail) => {
          const refused = answer(...dataRefusal);
          if (!refused) mails.push(mail);
          callback(refused);
        },
        (error) => callback(error),
      );
    },
  });
  server.on('error', () => {}); // a client that disconnects
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.server.address() as { port: number };
  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    logins,
    get tries() {
      return tries;
    },
    refuseWith: (code, text = 'not now') => {
      refusal = [code, text];
    },
    refuseDataWith: (code, text = 'not now') => {
      dataRefusal = [code, text];
    },
    refuseSendersWith: (code) => {
      senderRefusal = code;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
