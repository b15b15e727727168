import { Container } from 'typedi';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createJwtAllauth, type Mail, Mailer, type SettingsInput } from '../../src/index.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { createTestApp, SECRET, type TestApp } from '../support/test-app.js';
import { until } from '../support/until.js';
import { AppUser } from '../support/users.js';

let app: TestApp;
beforeEach(async () => {
  app = await createTestApp();
});
afterEach(() => app.close());

const PUBLIC = { secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY, publicUrl: 'https://api.example.com' };
const create = (settings: SettingsInput, mailer?: Mailer) =>
  createJwtAllauth({ orm: app.orm, settings, mailer, container: Container.of('mailer-choice') });

test('in production with accounts by mail, a start without a mail server or a mailer is refused', async () => {
  await expect(create(PUBLIC)).rejects.toThrow(/smtpUrl.*is required in production/);
  const server = { smtpUrl: 'smtps://mail.example.com', emailFrom: 'a@example.com' };
  for (const settings of [
    { secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY },
    { ...PUBLIC, development: true },
    { ...PUBLIC, ...server },
  ]) {
    await (await create(settings)).close();
  }
});

test("the app's mailer receives each mail, and again with the same id after a failure", async () => {
  const tries: (Mail & { messageId: string })[] = [];
  class FirstFails extends Mailer {
    async send(mail: Mail & { messageId: string }) {
      tries.push(mail);
      if (tries.length === 1) throw new Error('not now');
    }
  }
  const own = await createTestApp({
    settings: { publicUrl: 'http://accounts.test', emailVerification: 'optional' },
    user: AppUser,
    auth: { mailer: new FirstFails() },
  });
  await own.signedUp('ada@example.com');
  await until(() => tries.length === 1);
  await own.auth.close();
  own.clock.advance('1m');
  expect(await own.auth.outbox.deliver()).toBe(1);
  expect(tries.map(({ to }) => to)).toEqual(['ada@example.com', 'ada@example.com']);
  expect(tries[1]).toEqual(tries[0]);
  expect(own.log).toEqual([
    { level: 'warn', message: 'a mail could not be sent; it will be retried', attempts: 1, error: 'Error' },
  ]);
  await own.close();
});
