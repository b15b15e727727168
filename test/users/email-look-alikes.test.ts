import { afterEach, expect, test } from 'vitest';
import { normalizeEmail } from '../../src/users/email.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';

let app: MailApp | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});
// All of them are delivered to example.com: nodemailer maps the domain (UTS 46).
const ALIASES = [
  'example.com',
  'exampℓe.com',
  'exam\u00adple.com',
  'ex\u00adample.com',
  'e\u00adxample.com',
  '𝐞xample.com',
];

test('one mailbox is one address for the limit, however its domain is written', async () => {
  app = await createMailApp({ emailVerification: 'mandatory', mailRateLimit: '2/1h/account,50/1h/ip' });
  const answers = [];
  for (const domain of ALIASES)
    answers.push(
      (
        await app
          .client()
          .send('POST', '/auth/registration', { email: `victim@${domain}`, password: 'a sentence of some length' })
      ).status,
    );
  await app.auth.close();
  const delivered = app.sink.mails.filter(({ to }) => [to].flat().some((each) => each?.text === 'victim@example.com'));
  expect(delivered.length).toBeLessThanOrEqual(2);
});

test('the normal form of an address stays the same when it is normalised again', () => {
  for (const email of ['H\u0331@example.com', 'J\u030c@example.com']) {
    const normal = normalizeEmail(email);
    expect(normalizeEmail(normal)).toBe(normal);
  }
});
