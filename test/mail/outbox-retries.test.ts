import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Database } from '../../src/database/database.js';
import { ConsoleMailer } from '../../src/mail/console-mailer.js';
import { type Mail, Mailer } from '../../src/mail/mailer.js';
import { Outbox } from '../../src/mail/outbox.js';
import { SmtpMailer } from '../../src/mail/smtp-mailer.js';
import { EncryptionKeys } from '../../src/secrets/encryption-keys.js';
import { resolveSettings } from '../../src/settings/settings.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { startMailSink } from '../support/mail-sink.js';
import { createTestApp, SECRET, type TestApp } from '../support/test-app.js';
import { until } from '../support/until.js';

let app: TestApp;
beforeEach(async () => {
  app = await createTestApp();
});
afterEach(() => app.close());
const KEYS = new EncryptionKeys([randomBytes(32)]);
const MAIL = { to: 'ada@example.com', subject: 'Hello', text: 'x', html: '<p>Hello</p>' };
const quiet = { info() {}, warn() {}, error() {} };

class SlowMailer extends Mailer {
  readonly begun: string[] = [];
  #free: () => void = () => {};
  readonly #gate = new Promise<void>((resolve) => {
    this.#free = resolve;
  });
  async send({ messageId }: Mail & { readonly messageId: string }) {
    this.begun.push(messageId);
    await this.#gate;
  }
  free() {
    this.#free();
  }
}

test('a mail is not sent twice if a slow server takes more than a minute for it', async () => {
  const database = new Database(app.orm);
  const mailer = new SlowMailer();
  const box = new Outbox({ database, orm: app.orm, mailer, clock: app.clock, logger: quiet, encryption: KEYS });
  await database.transaction((em) => box.enqueue(MAIL, em, new Date(app.clock.now() + 3_600_000)));
  await until(() => mailer.begun.length === 1);
  app.clock.advance('299s'); // the timeout of 15 s applies to each reply of the server, and there are seven
  expect(await box.deliver()).toBe(0);
  mailer.free();
  await box.stop();
  expect(mailer.begun).toHaveLength(1);
});

test('a mail whose link is valid for an hour is retried before it expires', async () => {
  const database = new Database(app.orm);
  let isAway = true;
  let sent = 0;
  class Away extends Mailer {
    async send() {
      if (isAway) throw new Error('away');
      sent++;
    }
  }
  const box = new Outbox({
    database,
    orm: app.orm,
    mailer: new Away(),
    clock: app.clock,
    logger: quiet,
    encryption: KEYS,
  });
  await database.transaction((em) => box.enqueue(MAIL, em, new Date(app.clock.now() + 3_600_000))); // PASSWORD_RESET_LIFETIME
  await box.stop();
  for (let minute = 1; minute < 60; minute++) {
    app.clock.advance('1m');
    if (minute === 22) isAway = false; // the server was away for 22 of the 60 minutes
    await box.deliver();
  }
  expect(sent).toBe(1);
});

test('a mail that was encrypted with an unknown key is kept for another server, reported, and delays no other mail', async () => {
  const database = new Database(app.orm);
  const sent: string[] = [];
  const warnings: string[] = [];
  class Collecting extends Mailer {
    async send({ to }: Mail) {
      sent.push(to);
    }
  }
  const logger = {
    ...quiet,
    warn: (fields: object, message: string) => void warnings.push(JSON.stringify([fields, message])),
  };
  const later = new Date(app.clock.now() + 3_600_000);
  const put = async (to: string, encryption: EncryptionKeys) => {
    const idle = new Outbox({
      database,
      orm: app.orm,
      mailer: new Collecting(),
      clock: app.clock,
      logger: quiet,
      encryption,
    });
    await idle.stop();
    await database.transaction((em) => idle.enqueue({ ...MAIL, to }, em, later));
  };
  await put('old@example.com', new EncryptionKeys([randomBytes(32)]));
  await put('new@example.com', KEYS);
  expect(
    await new Outbox({
      database,
      orm: app.orm,
      mailer: new Collecting(),
      clock: app.clock,
      logger,
      encryption: KEYS,
    }).deliver(),
  ).toBe(1);
  expect(sent).toEqual(['new@example.com']);
  expect(warnings).toEqual([
    JSON.stringify([{ attempts: 1, error: 'sealed_with_unknown_key' }, 'a mail could not be sent; it will be retried']),
  ]);
  expect((await app.database.pool.query('select recipient from auth_outbox_mail')).rows).toEqual([
    { recipient: 'old@example.com' },
  ]);
});

test('a stopped outbox sends nothing more until it is started again', async () => {
  const database = new Database(app.orm);
  const mailer = new SlowMailer();
  mailer.free();
  const box = new Outbox({ database, orm: app.orm, mailer, clock: app.clock, logger: quiet, encryption: KEYS });
  await box.stop();
  await database.transaction((em) => box.enqueue(MAIL, em, new Date(app.clock.now() + 3_600_000)));
  await box.stop();
  expect(mailer.begun).toEqual([]);
  box.start();
  await database.transaction((em) => box.enqueue(MAIL, em, new Date(app.clock.now() + 3_600_000)));
  await box.stop();
  expect(mailer.begun).toHaveLength(2);
});

test.each([true, false])(
  'a password in SMTP_URL is sent unencrypted only in development (development: %s)',
  async (development) => {
    const sink = await startMailSink();
    const smtpUrl = sink.url.replace('smtp://', 'smtp://user:password@');
    const emailFrom = 'no-reply@example.com';
    const mailer = new SmtpMailer(
      resolveSettings({ secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY, development, smtpUrl, emailFrom }),
    );
    const sending = mailer.send({ ...MAIL, messageId: '<1@example.com>' });
    // The server of the test has no TLS, and would accept any password.
    await (development ? sending : expect(sending).rejects.toMatchObject({ code: 'ETLS' }));
    expect([sink.mails.length, sink.logins]).toEqual(development ? [1, ['user']] : [0, []]);
    await sink.close();
  },
);

test('the console mailer prints the recipient, the subject and the text of a mail', async () => {
  const printed = vi.spyOn(console, 'log').mockImplementation(() => {});
  await new ConsoleMailer().send(MAIL);
  expect(printed.mock.calls.flat()).toEqual([expect.stringContaining('To: ada@example.com\nSubject: Hello\n\nx\n')]);
  printed.mockRestore();
});
