import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { normalizeEmail } from '../../src/users/email.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';

let app: MailApp;
let client: TestClient;
beforeAll(async () => {
  app = await createMailApp({ invitations: true, registrationAllowedRoles: [0] });
  client = app.client();
  await client.register('ada@example.com');
});
afterAll(() => app.close());

const users = async () => (await app.database.pool.query('select email from app_user')).rows.map(({ email }) => email);

/** Invalid addresses from which a parser of URLs or of mail headers makes `ada@example.com` or another mailbox. */
const NO_ADDRESSES: readonly (readonly [what: string, email: string])[] = [
  ['a path', 'ada@example.com/evil'],
  ['a query', 'ada@example.com?x'],
  ['a fragment', 'ada@example.com#x'],
  ['a port', 'ada@example.com:25'],
  ['a backslash', 'ada@example.com\\evil.org'],
  ['a percent-escape in the domain', 'ada@ex%61mple.com'],
  ['a percent-escape in the local part', 'ada%40evil.org@example.com'],
  ['a full-width slash', 'ada@example.com／evil'],
  ['a sign that becomes a slash', 'ada@example.com℀'],
  ['a quoted local part', '"ada"@example.com'],
  ['a quoted local part with an @', '"ada@evil.org"@example.com'],
  ['a zero-width space in the local part', 'a\u200bda@example.com'],
  ['a zero-width space in the domain', 'ada@exam\u200bple.com'],
  ['a zero-width joiner', 'ada\u200d@example.com'],
  ['a word joiner', 'ad\u2060a@example.com'],
  ['a soft hyphen', 'ada@exam\u00adple.com'],
  ['a mark that changes the text direction', '\u202eada@example.com'],
  ['a byte order mark', 'a\ufeffda@example.com'],
  ['a Hangul filler', 'ada\u3164@example.com'],
  ['a variation selector', 'ada\ufe0f@example.com'],
  ['an invisible tag', 'ada\u{e0061}@example.com'],
  ['a blank braille pattern', 'ada\u2800@example.com'],
];

describe('an invalid address', () => {
  test.each(NO_ADDRESSES)('is refused wherever a new address is given: %s', async (_, email) => {
    const before = await users();
    const answers = [
      await app.client().register(email),
      await client.send('POST', '/auth/email/change', { email, password: PASSWORD }, client.bearer),
      await client.send('POST', '/auth/registration/user-register', { email, role: 0 }, client.bearer),
    ];
    for (const { status, body } of answers) {
      expect([status, body.code, body.errors?.map(({ field }: { field: string }) => field)]).toEqual([
        400,
        'validation_failed',
        ['email'],
      ]);
      expect(JSON.stringify(body)).not.toContain(email);
    }
    expect(await users()).toEqual(before);
    expect(app.sink.mails).toEqual([]);
  });

  // UTS 46 ignores invisible characters in a domain: with them it is the mailbox of ada@example.com.
  const others = NO_ADDRESSES.filter(([, email]) => normalizeEmail(email) !== 'ada@example.com');
  test.each(others)('signs in as no other user: %s', async (_, email) => {
    const answer = await app.client().login(email);
    expect([400, 401]).toContain(answer.status);
    expect(answer.cookie).toBeUndefined();
  });

  test('with invisible characters is refused because of these', async () => {
    const { body } = await app.client().register('a\u200bda@example.com');
    expect(body.errors).toEqual([{ field: 'email', messages: [expect.stringContaining('invisible')] }]);
  });
});

test.each([
  'grace.hopper+navy@example.com',
  "o'neill@example.co.uk",
  'jürgen@müller.example',
  '用户@例子.example',
  'ada_1@mail-server.example.com',
])('%s is accepted', async (email) => {
  expect((await app.client().register(email)).status).toBe(201);
  expect((await app.client().login(email)).status).toBe(200);
});

test('an invalid domain stays as it was written, in its normal form too', () => {
  for (const domain of ['example.com/evil', 'example.com?x', 'ex%61mple.com', 'example.com#a', 'a\\b.com']) {
    expect(normalizeEmail(`Ada@${domain}`)).toBe(`ada@${domain}`);
  }
});
