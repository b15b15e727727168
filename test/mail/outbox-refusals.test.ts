import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Database } from '../../src/database/database.js';
import { Outbox } from '../../src/mail/outbox.js';
import { SmtpMailer } from '../../src/mail/smtp-mailer.js';
import { EncryptionKeys } from '../../src/secrets/encryption-keys.js';
import { resolveSettings } from '../../src/settings/settings.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { type MailSink, startMailSink } from '../support/mail-sink.js';
import { createTestApp, SECRET, type TestApp } from '../support/test-app.js';

let app: TestApp;
let sink: MailSink;
beforeEach(async () => {
  [app, sink] = [await createTestApp(), await startMailSink()];
});
afterEach(async () => {
  await app.close();
  await sink.close();
});

const KEYS = new EncryptionKeys([randomBytes(32)]);
const MAIL = { to: 'ada@example.com', subject: 'Hello', text: 'x', html: '<p>Hello</p>' };
const quiet = { info() {}, warn() {}, error() {} };
const smtp = (smtpUrl: string, development = false) =>
  new SmtpMailer(
    resolveSettings({
      secretKey: SECRET,
      encryptionKeys: ENCRYPTION_KEY,
      smtpUrl,
      development,
      emailFrom: 'no-reply@example.com',
    }),
  );

/** Sends a mail that is refused, then lets the server accept it, and returns the number of mails that arrive. */
async function arrivingAfter(refuse: (code: number, text?: string) => void, code: number, text: string) {
  const database = new Database(app.orm);
  const box = new Outbox({
    database,
    orm: app.orm,
    mailer: smtp(sink.url),
    clock: app.clock,
    logger: quiet,
    encryption: KEYS,
  });
  refuse(code, text);
  await database.transaction((em) => box.enqueue(MAIL, em, new Date(app.clock.now() + 86_400_000)));
  await box.stop();
  refuse(0);
  app.clock.advance('1m');
  await box.deliver();
  expect((await app.database.pool.query('select * from auth_outbox_mail')).rows).toEqual([]);
  return sink.mails.length;
}

describe('a refusal', () => {
  test.each([
    [550, 'no such user here'],
    [551, 'user not local'],
    [553, 'mailbox name not allowed'],
    [550, '5.1.1 user unknown'],
    [550, '5.1.2 bad destination'],
    [556, '5.1.10 recipient address has null MX'],
    [550, '5.2.1 mailbox disabled'],
  ])('of the recipient drops a mail: %i %s', async (code, text) => {
    expect(await arrivingAfter(sink.refuseWith, code, text)).toBe(0);
  });

  test.each([
    [552, 'exceeded storage allocation'],
    [554, 'transaction failed'],
    [550, '5.7.1 your address is on a block list'],
    [550, '5.7.26 unauthenticated mail'],
    [552, '5.2.2 mailbox full'],
    [550, '5.1.8 bad sender'],
    [550, '5.1.7 bad sender syntax'],
    [550, '5.4.5 daily sending quota exceeded'],
    [554, '5.3.4 message too big'],
  ])('of the sender, by a quota or by a policy is temporary: %i %s', async (code, text) => {
    expect(await arrivingAfter(sink.refuseWith, code, text)).toBe(1);
  });

  test.each([
    [550, 'looks like spam', 1],
    [554, '5.7.1 message refused', 1],
    [552, 'too much mail data', 1],
    [550, '5.1.1 user unknown', 0],
  ])(
    'of the content of a mail is temporary, unless its text says that the recipient does not exist: %i %s',
    async (code, text, arriving) => {
      expect(await arrivingAfter(sink.refuseDataWith, code, text)).toBe(arriving);
    },
  );
});

describe('a mail server without TLS', () => {
  const send = (mailer: SmtpMailer) => mailer.send({ ...MAIL, messageId: '<1@example.com>' });
  // An address of this machine that does not look like a loopback address.
  const elsewhere = () => sink.url.replace('127.0.0.1', '0.0.0.0');

  test('gets no mail in production', async () => {
    await expect(send(smtp(elsewhere()))).rejects.toMatchObject({ code: 'ETLS' });
    expect(sink.mails).toEqual([]);
  });

  test('gets mails in development, and in production on the machine itself', async () => {
    await send(smtp(elsewhere(), true));
    await send(smtp(sink.url));
    await send(smtp(sink.url.replace('127.0.0.1', 'localhost')));
    expect(sink.mails).toHaveLength(3);
  });
});
