import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { PASSWORD } from '../support/test-client.js';

let app: MailApp;
let count = 0;
const ADA = { firstName: 'Augusta', lastName: 'Lovelace-King' };
const JSON_BODY = { 'content-type': 'application/json' };
const freshEmail = () => `countess${++count}@analytical.example`;
const register = (password: unknown, more: object = ADA, email = freshEmail()) =>
  // As text: some of these appear in any log, and are no secrets for `secrets`.
  app.client().send('POST', '/auth/registration', JSON.stringify({ email, password, ...more }), JSON_BODY);
const users = async () => (await app.database.pool.query('select count(*)::int as n from app_user')).rows[0].n;

beforeAll(async () => {
  app = await createMailApp({ invitations: true, registrationAllowedRoles: [0] });
});
afterAll(() => app.close());

/** The passwords that attackers try first, each with the text of its refusal. */
const WEAK: readonly (readonly [password: string, message: string])[] = [
  ['aaaaaaaa', 'repeats'],
  ['kV7-kV7-kV7-kV7-', 'repeats'],
  ['é'.repeat(128), 'repeats'],
  ['        ', 'blank'],
  ['\u00a0\u2003\t \u3000\u200b\u2060  ', 'blank'],
  ['abcdefgh', 'sequence'],
  ['87654321', 'common'],
  ['абвгдежз', 'sequence'],
  ['qwertyuiop', 'common'],
  ['dfghjkl;', 'keyboard'],
  ['19841124', 'date'],
  ['Password1!', 'common word'],
  ['P@ssw0rd123', 'common word'],
  ['Summer2026!', 'common word'],
  ['2026Summer!!', 'common word'],
  ['Herbst2026!', 'common word'],
  ['Company2026!', 'common word'],
  ['letmein2026!', 'common word'],
  ['Augusta1815!', 'your name'],
  ['Lovelace-King-1', 'your name'],
  ['analytical.example', 'your name'],
  ['Countess-Analytical1', 'your name'],
  ['augustaAccounts.test', 'your name'],
];

describe('a password that is easy to guess', () => {
  test.each(WEAK)('is refused with the reason and advice: %j', async (password, message) => {
    const before = await users();
    const answer = await register(password);
    expect([answer.status, answer.body.code]).toEqual([400, 'validation_failed']);
    expect(answer.body.errors).toEqual([{ field: 'password', messages: [expect.stringContaining(message)] }]);
    expect(JSON.stringify(answer.body)).not.toContain(password);
    expect(await users()).toBe(before);
  });

  test('is refused by every way to set one, also if it contains the stored names', async () => {
    const client = app.client();
    const email = freshEmail();
    expect((await client.register(email, PASSWORD, ADA)).status).toBe(201);
    const change = await client.changePassword(PASSWORD, 'Augusta1815!');
    expect([change.status, change.body.errors?.[0]?.field]).toEqual([400, 'newPassword']);

    await client.send('POST', '/auth/password/reset', { email });
    const reset = await app.open(await app.linkTo(email));
    const cookie = [...reset.cookies.values()][0]?.split(';')[0] ?? '';
    const setNew = (newPassword: string) =>
      app.client().send('POST', '/auth/password/reset/set-new', { newPassword }, { cookie });
    const weak = await setNew('Lovelace-King-1');
    expect([weak.status, weak.body.errors?.[0]?.field]).toEqual([400, 'newPassword']);
    expect((await setNew('tiger lamp cloud river')).status).toBe(200);
    expect((await client.login(email, 'tiger lamp cloud river')).status).toBe(200);

    const invited = freshEmail();
    const invite = { email: invited, role: 0, firstName: 'Wilhelmina' };
    expect((await client.send('POST', '/auth/registration/user-register', invite, client.bearer)).status).toBe(201);
    const link = await app.open(await app.linkTo(invited));
    const pass = [...link.cookies.values()][0]?.split(';')[0] ?? '';
    const choose = await app
      .client()
      .send('POST', '/auth/registration/set-password', { newPassword: 'Wilhelmina-1' }, { cookie: pass });
    expect([choose.status, choose.body.errors?.[0]?.field]).toEqual([400, 'newPassword']);
  });
});

describe('a password that is hard to guess', () => {
  test.each([
    'correct horse battery staple',
    'tiger lamp cloud',
    'абажур велосипед гроза',
    'x7#Kq9!z',
    'vT4kpw9s',
    'analytical engines eat punched cards',
    `${'a'.repeat(60)} tiger lamp cloud`,
    `tiger lamp cloud ${'a'.repeat(60)}`,
  ])('is accepted: %j', async (password) => {
    const email = freshEmail();
    expect((await register(password, ADA, email)).status).toBe(201);
    expect((await app.client().login(email, password)).status).toBe(200);
  });
});

describe('the faults of a body', () => {
  test('are in one answer, the weak password with the other fields', async () => {
    const answer = await register('Augusta1815!', { ...ADA, lastName: 7, admin: true }, 'no address');
    expect(answer.status).toBe(400);
    expect(answer.body.errors.map(({ field }: { field: string }) => field).sort()).toEqual(
      ['admin', 'email', 'lastName', 'password'].sort(),
    );
    const about = answer.body.errors.find(({ field }: { field: string }) => field === 'password');
    expect(about.messages[0]).toContain('your name');
  });

  test('are reported once if the password itself is not a string', async () => {
    const answer = await register(7, ADA, 'no address');
    expect(answer.body.errors).toEqual([
      { field: 'email', messages: expect.any(Array) },
      { field: 'password', messages: ['must be a string'] },
    ]);
  });

  test('are reported at a change and at a reset as well', async () => {
    const client = await app.signedUp();
    const body = { oldPassword: 7, newPassword: 'Summer2026!' };
    const change = await client.send('POST', '/auth/password/change', body, client.bearer);
    expect(change.body.errors.map(({ field }: { field: string }) => field)).toEqual(['oldPassword', 'newPassword']);
    const reset = await client.send('POST', '/auth/password/reset/set-new', { newPassword: 'aaaaaaaa', extra: 1 });
    expect(reset.body.errors.map(({ field }: { field: string }) => field)).toEqual(['extra', 'newPassword']);
  });
});
