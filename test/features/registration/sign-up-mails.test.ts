import { afterEach, describe, expect, test } from 'vitest';
import type { SettingsInput } from '../../../src/index.js';
import { createMailApp, type MailApp } from '../../support/mail-app.js';
import type { TestAppOptions } from '../../support/test-app.js';
import { PASSWORD } from '../../support/test-client.js';

const ADA = 'ada@example.com';
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0';
const BEHIND_PROXY: TestAppOptions = { express: 5, configure: (server) => server.set('trust proxy', true) };

let app: MailApp;
afterEach(() => app.close());
const start = async (settings: SettingsInput) => {
  app = await createMailApp({ collectUserAgent: true, ...settings }, BEHIND_PROXY);
};
const signUp = (userAgent = FIREFOX, ip = '203.0.113.7') =>
  app
    .client()
    .send(
      'POST',
      '/auth/registration',
      { email: ADA, password: PASSWORD },
      { 'x-forwarded-for': ip, 'user-agent': userAgent },
    );
const now = () => `${new Date(app.clock.now()).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** The n-th mail, each of its two parts as one line of text. */
async function mailText(which = 1): Promise<string[]> {
  const mail = (await app.mailsTo(ADA, which))[which - 1];
  return [mail?.text ?? '', String(mail?.html).replace(/<[^>]+>/g, ' ')].map((text) => text.replace(/\s+/g, ' '));
}

describe.each(['mandatory', 'optional'] as const)('the mail of a sign-up under %s', (emailVerification) => {
  test('has the time of the sign-up, and its address, browser and system', async () => {
    await start({ emailVerification });
    await signUp();
    for (const text of await mailText())
      expect(text).toContain(`with this address, at ${now()}, from 203.0.113.7 (Firefox, Linux). If it was you`);
  });

  test('has only the time if no client data is collected, and nothing else is stored', async () => {
    await start({ emailVerification, collectUserAgent: false });
    await signUp();
    for (const text of await mailText()) {
      expect(text).toContain(`with this address, at ${now()}. If it was you`);
      expect(text).not.toContain('203.0.113.7');
    }
    const { rows } = await app.database.pool.query('select p::text from auth_pending_sign_up p');
    expect(JSON.stringify(rows)).not.toMatch(/203\.0|Firefox/);
  });
});

test('a second mail has the time of the sign-up, not the time of the request for the mail', async () => {
  await start({ emailVerification: 'mandatory' });
  await signUp();
  const [first] = await mailText();
  const at = now();
  app.clock.advance('1d');
  await app.client().send('POST', '/auth/registration/verification/resend', { email: ADA });
  const [second] = await mailText(2);
  expect(at).not.toBe(now());
  expect(second).toContain(`at ${at}, from 203.0.113.7 (Firefox, Linux)`);
  expect(second?.replace(/http:\S+/, '')).toBe(first?.replace(/http:\S+/, ''));
});

test.each([
  ['visit evil.example.com now/1 x', '203.0.113.7'],
  ['evil.example.com/1.0 (win at evil.example.com)', '203.0.113.7'],
  ['Mozilla/5.0 (X11; evil.example.com) Gecko/20100101 Firefox/evil.example.com', '203.0.113.7 (Firefox)'],
  ['Firefox/128.0 https://evil.example.com', '203.0.113.7 (Firefox)'],
])('the sender of a sign-up cannot write into the mail with the User-Agent %s', async (userAgent, from) => {
  await start({ emailVerification: 'mandatory' });
  await signUp(userAgent);
  for (const text of await mailText()) {
    expect(text).toContain(`from ${from}. If`);
    expect(text).not.toContain('evil');
  }
});

test('the sender of a sign-up cannot write into the mail with an invalid client address', async () => {
  await start({ emailVerification: 'mandatory' });
  await signUp(FIREFOX, 'evil.example.com');
  for (const text of await mailText()) {
    expect(text).toContain(`at ${now()}, from Firefox, Linux. If`);
    expect(text).not.toContain('evil');
  }
});

test('a mail to an unconfirmed user omits the details of a sign-up that is no longer stored', async () => {
  await start({ emailVerification: 'optional' });
  await signUp();
  await app.client().send('POST', '/auth/registration/verification/resend', { email: ADA });
  for (const text of await mailText(2)) expect(text).toContain('with this address. If it was you, open this link');
});
