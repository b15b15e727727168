import { domainToASCII, domainToUnicode } from 'node:url';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { mailDomain, normalizeEmail } from '../../src/users/email.js';
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

test('the shortcut for usual domains gives what UTS 46 gives', () => {
  const letters = fc.string({ unit: fc.constantFrom(...'abcx09-n'), minLength: 1, maxLength: 5 });
  const label = fc.oneof(
    letters,
    fc.constantFrom('xn--mller-kva', '0x7f', '127', 'com', 'a'.repeat(63), 'a'.repeat(64)),
  );
  const domain = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.'));
  fc.assert(
    fc.property(domain, (text) => {
      expect(mailDomain(text)).toBe(domainToUnicode(domainToASCII(text)));
    }),
    { numRuns: 5000 },
  );
});
