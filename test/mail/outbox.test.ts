import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Database } from '../../src/database/database.js';
import { type Mail, Mailer } from '../../src/mail/mailer.js';
import { Outbox } from '../../src/mail/outbox.js';
import { SmtpMailer } from '../../src/mail/smtp-mailer.js';
import { EncryptionKeys } from '../../src/secrets/encryption-keys.js';
import { resolveSettings } from '../../src/settings/settings.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { type MailSink, startMailSink } from '../support/mail-sink.js';
import { createTestApp, SECRET, type TestApp } from '../support/test-app.js';

let app: TestApp;
let sink: MailSink;
let database: Database;
let log: string[];
beforeEach(async () => {
  [app, sink, log] = [await createTestApp(), await startMailSink(), []];
  database = new Database(app.orm);
});
afterEach(async () => {
  await app.close();
  await sink.close();
});

/** An outbox as a server has one. */
function outbox(url = sink.url): Outbox {
  const settings = resolveSettings({
    secretKey: SECRET,
    encryptionKeys: ENCRYPTION_KEY,
    smtpUrl: url,
    emailFrom: 'Example <no-reply@example.com>',
  });
  const note = (fields: object, message: string) => void log.push(JSON.stringify({ ...fields, message }));
  const logger = { info: note, warn: note, error: note };
  return new Outbox({
    database,
    orm: app.orm,
    mailer: new SmtpMailer(settings),
    clock: app.clock,
    logger,
    encryption: KEYS,
  });
}

const KEYS = new EncryptionKeys([randomBytes(32)]);
const MAIL = { to: 'ada@example.com', subject: 'Hello', text: 'http://accounts.test/secret', html: '<p>Hello</p>' };
const put = (box: Outbox, to = MAIL.to, seconds = 3 * 86_400) =>
  database.transaction((em) => box.enqueue({ ...MAIL, to }, em, new Date(app.clock.now() + seconds * 1000)));
const waiting = async () => (await app.database.pool.query('select * from auth_outbox_mail')).rows;

describe('the outbox', () => {
  test('sends a mail after its transaction has committed, and then deletes it', async () => {
    const box = outbox();
    await put(box);
    await box.stop();
    expect(sink.mails).toHaveLength(1);
    const [mail] = sink.mails;
    expect([mail?.subject, mail?.from?.text, mail?.text?.trim()]).toEqual([
      'Hello',
      '"Example" <no-reply@example.com>',
      MAIL.text,
    ]);
    expect(mail?.headers.get('auto-submitted')).toBe('auto-generated');
    expect(mail?.messageId).toMatch(/^<[\da-f-]{36}@jwt-allauth>$/);
    expect([await waiting(), await box.deliver()]).toEqual([[], 0]);
  });

  test('sends nothing from a transaction that was rolled back', async () => {
    const box = outbox();
    const failing = database.transaction(async (em) => {
      await box.enqueue(MAIL, em, new Date(app.clock.now() + 60_000));
      throw new Error('rolled back');
    });
    await expect(failing).rejects.toThrow('rolled back');
    expect(await box.deliver()).toBe(0);
    expect([sink.mails, await waiting()]).toEqual([[], []]);
  });

  test.each([421, 451])(
    'keeps a mail that the server refuses for now (%i), and retries it at growing intervals',
    async (code) => {
      sink.refuseWith(code);
      const box = outbox();
      await put(box);
      await box.stop();
      for (const minutes of [1, 5, 15, 60, 180, 180]) {
        const tries = sink.tries;
        app.clock.advance(`${minutes * 60 - 1}s`);
        expect([await box.deliver(), sink.tries]).toEqual([0, tries]);
        app.clock.advance('1s');
        if (minutes === 180) sink.refuseWith(0);
        expect(await box.deliver()).toBe(minutes === 180 ? 1 : 0);
        expect(sink.tries).toBe(tries + 1);
        if (minutes === 180) break;
      }
      expect([sink.mails.length, await waiting()]).toEqual([1, []]);
      expect(log.join()).not.toMatch(/ada@example|secret/);
      expect(log.length).toBeGreaterThan(0);
    },
  );

  test('sends after a restart the mails that a server could not take while it was away', async () => {
    const gone = await startMailSink();
    await gone.close();
    const before = outbox(gone.url);
    await put(before);
    await before.stop();
    expect(await waiting()).toHaveLength(1);
    app.clock.advance('1m');
    expect(await outbox().deliver()).toBe(1);
    expect(sink.mails).toHaveLength(1);
  });

  test('sends each mail once, even if several servers send at the same time', async () => {
    const idle = outbox('smtp://127.0.0.1:1');
    const later = new Date(app.clock.now() + 86_400_000);
    const addresses = Array.from({ length: 60 }, (_, index) => `user${index}@example.com`);
    await database.transaction(async (em) => {
      for (const to of addresses) await idle.enqueue({ ...MAIL, to }, em, later);
      await app.database.pool.query('select 1');
    });
    await idle.stop();
    app.clock.advance('1m');
    const counts = await Promise.all([outbox(), outbox(), outbox()].map((box) => box.deliver()));
    expect(counts.reduce((sum, count) => sum + count)).toBe(60);
    const sent = sink.mails.flatMap(({ to }) => [to].flat().map((each) => each?.text));
    expect(sent.sort()).toEqual(addresses.sort());
  });

  test.each([550, 553])('keeps every mail while a server refuses the sender (%i)', async (code) => {
    sink.refuseSendersWith(code);
    const box = outbox();
    await put(box);
    await box.stop();
    expect([(await waiting()).length, sink.tries]).toEqual([1, 0]);
    sink.refuseSendersWith(0);
    app.clock.advance('1m');
    expect([await box.deliver(), sink.mails.length, await waiting()]).toEqual([1, 1, []]);
  });

  test('stops only when no mail is being sent, even if the database fails in the meantime', async () => {
    const isOpen = Promise.withResolvers<void>();
    const isFailed = Promise.withResolvers<void>();
    const steps: string[] = [];
    class Slow extends Mailer {
      async send({ to }: Mail): Promise<void> {
        if (to === 'slow@example.com') await isOpen.promise;
        steps.push(to);
      }
    }
    class Failing extends Database {
      override query: Database['query'] = async (sql, parameters, em) => {
        if (!sql.startsWith('delete') || steps.length > 1) return super.query(sql, parameters, em);
        isFailed.resolve();
        throw new Error('away');
      };
    }
    const logger = { info: () => {}, warn: () => void steps.push('warned'), error: () => {} };
    const failing = new Failing(app.orm);
    const box = new Outbox({
      database: failing,
      orm: app.orm,
      mailer: new Slow(),
      clock: app.clock,
      logger,
      encryption: KEYS,
    });
    const later = new Date(app.clock.now() + 60_000);
    await failing.transaction(async (em) => {
      for (const to of ['ada@example.com', 'slow@example.com']) await box.enqueue({ ...MAIL, to }, em, later);
    });
    await isFailed.promise;
    const stopped = box.stop().then(() => steps.push('stopped'));
    await app.database.pool.query('select 1'); // time enough to stop too early
    isOpen.resolve();
    await stopped;
    expect(steps).toEqual(['ada@example.com', 'slow@example.com', 'warned', 'stopped']);
  });

  test('drops mails that a server refuses permanently, and mails that are too old', async () => {
    sink.refuseWith(550);
    const box = outbox();
    await put(box);
    await box.stop();
    expect(await waiting()).toEqual([]);
    sink.refuseWith(451);
    await put(box, MAIL.to, 30);
    await box.stop();
    sink.refuseWith(0);
    app.clock.advance('1m');
    expect([await box.deliver(), sink.mails]).toEqual([0, []]);
    await app.auth.purge.run({ pause: async () => {} });
    expect(await waiting()).toEqual([]);
  });
});
