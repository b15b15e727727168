import { hash } from '@node-rs/argon2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { secrets } from '../support/secrets.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';

/** The form of every new hash: argon2id, 19 MiB, two passes, one lane, a salt of 16 bytes, a hash of 32. */
const CURRENT = /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/;

let app: TestApp;
let count = 0;
const freshEmail = () => `pw${++count}@example.com`;
const hashOf = async (email: string): Promise<string | null | undefined> =>
  (await app.database.pool.query('select password_hash from app_user where email = $1', [email])).rows[0]
    ?.password_hash;
const setHash = (email: string, passwordHash: string | null) =>
  app.database.pool.query('update app_user set password_hash = $1 where email = $2', [passwordHash, email]);
const signedUp = async (password = PASSWORD): Promise<{ client: TestClient; email: string }> => {
  const email = freshEmail();
  const client = app.client();
  expect((await client.register(email, password)).status).toBe(201);
  return { client, email };
};

beforeAll(async () => {
  app = await createTestApp({ isHashingReal: true });
});
afterAll(() => app.close());

describe('a new password', () => {
  test.each([
    ['8 characters', 'kV7 ñx-q'],
    ['128 characters', `${'tiger lamp cloud river stone '.repeat(4)}kV7 ñx-q qW2`],
    ['8 characters outside of the basic plane', '🔑🦊🌵🎲🧊🪁🥁🧭'],
    ['128 characters outside of the basic plane', '🔑🦊🌵🎲🧊🪁🥁🧭'.repeat(16)],
    ['8 characters only once NFKC has taken a ligature apart', 'kV7 xñﬁ'],
    [
      '128 characters only once NFKC has put letters and accents together',
      'e\u0301o\u0308 tiger lamp cloud'.repeat(6).concat(' tiger lamp', 'e\u0301'.repeat(3)),
    ],
    ['spaces at both ends, which count', '  kV7x  '],
    ['nothing but letters of another script', 'пароль не словарный'],
    ['control characters', 'kV7\u0000\u0007\u001bxñ'],
    ['the local part of the e-mail address and more', 'pw is not my address'],
  ])('is accepted with %s, and signs in', async (_, password) => {
    const { email } = await signedUp(password);
    expect(await hashOf(email)).toMatch(CURRENT);
    expect((await app.client().login(email, password)).status).toBe(200);
    expect((await app.client().login(email, `${password} `)).status).toBe(401);
  });

  test.each<[what: string, password: string | ((email: string) => string), message: string]>([
    ['7 characters', 'kV7 ñxq', 'must have at least 8 characters'],
    ['no character', '', 'must have at least 8 characters'],
    ['7 characters in 14 UTF-16 units', '🔑🦊🌵🎲🧊🪁🥁', 'must have at least 8 characters'],
    [
      '7 characters once NFKC has put accents and letters together',
      'e\u0301'.repeat(7),
      'must have at least 8 characters',
    ],
    ['129 characters', 'x-'.repeat(64).concat('y'), 'must have at most 128 characters'],
    [
      '129 characters only once NFKC has taken a ligature apart',
      'ﬁ'.concat('x-'.repeat(63), 'y'),
      'must have at most 128',
    ],
    ['50 kB', 'x'.repeat(50_000), 'must have at most 128 characters'],
    ['the first half of a surrogate pair', 'kV7 ñx-q\ud83d', 'must be well-formed Unicode'],
    ['the second half of a surrogate pair', '\udd11kV7 ñx-q', 'must be well-formed Unicode'],
    ['the e-mail address', (email) => email, 'must not be the e-mail address'],
    ['the e-mail address in capitals', (email) => email.toUpperCase(), 'must not be the e-mail address'],
    [
      'the e-mail address in full-width letters, which is the same after NFKC',
      fullWidth,
      'must not be the e-mail address',
    ],
    ['a common password', 'iloveyou', 'is one of the most common passwords'],
    ['a common password in mixed case', 'PassWord1', 'is one of the most common passwords'],
    ['a common password in full-width letters', fullWidth('baseball'), 'is one of the most common passwords'],
    ['common digits', '1234567890', 'is one of the most common passwords'],
    ['a word of the dictionary', 'dragonfly', 'is easy to guess: it is a common word;'],
  ])('is refused with %s, at sign-up and at a change alike', async (_, choose, message) => {
    const email = freshEmail();
    const password = typeof choose === 'string' ? choose : choose(email);
    const answer = await app.client().register(email, password);
    expect(answer.body).toEqual({
      type: 'about:blank',
      title: 'Bad Request',
      status: 400,
      code: 'validation_failed',
      detail: 'The input is not valid; see errors.',
      errors: [{ field: 'password', messages: [expect.stringContaining(message)] }],
    });
    expect(answer.cookie).toBeUndefined();
    expect(await hashOf(email)).toBeUndefined();

    const owner = await signedUp();
    const before = await hashOf(owner.email);
    const chosen = typeof choose === 'string' ? choose : choose(owner.email);
    const change = await owner.client.changePassword(PASSWORD, chosen);
    expect([change.status, change.body.errors]).toEqual([
      400,
      [{ field: 'newPassword', messages: [expect.stringContaining(message)] }],
    ]);
    expect(await hashOf(owner.email)).toBe(before);
    expect((await owner.client.refresh()).status).toBe(200);
  });
});

describe('a stored password', () => {
  test('is an argon2id hash with its own salt', async () => {
    const first = await signedUp();
    const second = await signedUp();
    expect(await hashOf(first.email)).toMatch(CURRENT);
    expect(await hashOf(second.email)).toMatch(CURRENT);
    expect(await hashOf(first.email)).not.toBe(await hashOf(second.email));
  });

  test.each([
    ['accents typed as marks', 'Zoë hört Müsli', 'Zoë hört Müsli'.normalize('NFD')],
    ['full-width letters', 'kV7 long enough', fullWidth('kV7').concat('\u3000', fullWidth('long enough'))],
    ['a ligature', 'the final office', 'the ﬁnal oﬃce'],
  ])('signs in however it was typed: %s', async (_, chosen, typed) => {
    expect(typed).not.toBe(chosen);
    const { email } = await signedUp(chosen);
    expect((await app.client().login(email, typed)).status).toBe(200);
    const other = await signedUp(typed);
    expect((await app.client().login(other.email, chosen)).status).toBe(200);
  });

  test.each([
    ['another case', PASSWORD.toUpperCase()],
    ['a space more', ` ${PASSWORD}`],
    ['a part of it', PASSWORD.slice(0, -1)],
    ['nothing', ''],
    ['its hash', undefined],
    ['half of a surrogate pair', '\ud83d'],
  ])('does not sign in with %s', async (_, password) => {
    const { email } = await signedUp();
    const sessions = await app.sessions();
    const answer = await app.client().login(email, password ?? (await hashOf(email)) ?? '');
    expect([answer.status, answer.body.code, answer.cookie]).toEqual([401, 'incorrect_credentials', undefined]);
    expect(await app.sessions()).toEqual(sessions);
  });

  test.each<[what: string, passwordHash: string | null]>([
    ['none at all', null],
    ['an empty one', ''],
    ['one of another kind', '$2b$10$abcdefghijklmnopqrstuuWz0Yz0Yz0Yz0Yz0Yz0Yz0Yz0Yz0Yz0'],
    ['one that is broken', '$argon2id$v=19$m=19456,t=2,p=1$broken'],
    ['the password itself', PASSWORD],
  ])('that is %s matches no password, and is answered like an unknown address', async (_, passwordHash) => {
    const { email } = await signedUp();
    await setHash(email, passwordHash);
    const sessions = await app.sessions();
    const unknown = await app.client().login('nobody@example.com', PASSWORD);
    for (const password of [PASSWORD, '', 'no such user']) {
      const answer = await app.client().login(email, password);
      expect([answer.status, answer.body, answer.cookie]).toEqual([401, unknown.body, undefined]);
    }
    expect(await app.sessions()).toEqual(sessions);
    expect(await hashOf(email)).toBe(passwordHash);
  });
});

describe('a hash with outdated parameters', () => {
  const OUTDATED = [
    ['less memory', { memoryCost: 4096, timeCost: 2, parallelism: 1 }],
    ['one pass', { memoryCost: 19_456, timeCost: 1, parallelism: 1 }],
    ['more lanes', { memoryCost: 4096, timeCost: 1, parallelism: 2 }],
    ['argon2i', { algorithm: 1, memoryCost: 4096, timeCost: 2, parallelism: 1 }],
  ] as const;

  test.each(OUTDATED)('is renewed when the correct password signs in: %s', async (_, parameters) => {
    const { email } = await signedUp();
    const outdated = await hash(PASSWORD, parameters);
    secrets.add(outdated);
    await setHash(email, outdated);
    const client = app.client();
    expect((await client.login(email)).status).toBe(200);
    const renewed = await hashOf(email);
    expect(renewed).toMatch(CURRENT);
    expect((await client.refresh()).status).toBe(200);
    expect((await app.client().login(email)).status).toBe(200);
    expect(await hashOf(email)).toBe(renewed); // and only once
    expect((await app.client().login(email, `${PASSWORD}!`)).status).toBe(401);
  });

  test('stays unchanged after a wrong password, and for an account that is not active', async () => {
    const { email } = await signedUp();
    const outdated = await hash(PASSWORD, OUTDATED[0][1]);
    await setHash(email, outdated);
    expect((await app.client().login(email, `${PASSWORD}!`)).status).toBe(401);
    expect(await hashOf(email)).toBe(outdated);
    await app.database.pool.query('update app_user set is_active = false where email = $1', [email]);
    const answer = await app.client().login(email);
    expect([answer.status, answer.body.code]).toEqual([401, 'no_active_account']);
    expect(await hashOf(email)).toBe(outdated);
  });

  test('is renewed once by parallel logins, all of which succeed', async () => {
    const { email } = await signedUp();
    await setHash(email, await hash(PASSWORD, OUTDATED[0][1]));
    const clients = Array.from({ length: 6 }, () => app.client());
    const answers = await Promise.all(clients.map((client) => client.login(email)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
    expect(await hashOf(email)).toMatch(CURRENT);
    for (const client of clients) expect((await client.refresh()).status).toBe(200);
  });
});

/** ASCII in full-width letters, which NFKC converts to ASCII. */
function fullWidth(text: string): string {
  return text.replace(/[!-~]/g, (character) => String.fromCodePoint(character.charCodeAt(0) + 0xfee0));
}
