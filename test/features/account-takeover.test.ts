import { afterEach, expect, test } from 'vitest';
import { expectProblem } from '../support/expect-problem.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { PASSWORD } from '../support/test-client.js';

let app: MailApp;
afterEach(() => app.close());

const NEW = 'a new sentence of some length';
const signUp = (email: string, password = PASSWORD) =>
  app.client().send('POST', '/auth/registration', { email, password });
const askReset = (email: string) => app.client().send('POST', '/auth/password/reset', { email });
const users = async () => (await app.database.pool.query('select * from app_user order by email')).rows;

async function reset(link: string): Promise<number> {
  const cookie = (await app.open(link)).cookies.get('password_reset_access_token')?.split(';')[0] ?? '';
  return (await app.client().send('POST', '/auth/password/reset/set-new', { newPassword: NEW }, { cookie })).status;
}

test('an owner takes back an address with which another person signed up, and that person is signed out', async () => {
  app = await createMailApp({ emailVerification: 'optional', accessTokenSessionCheck: 'database' });
  const stranger = await app.signedUp('victim@example.com');
  const change = { email: 'stranger@example.com', password: PASSWORD };
  await stranger.send('POST', '/auth/email/change', change, stranger.bearer);
  const away = await app.linkTo('stranger@example.com');
  await askReset('victim@example.com');
  const isReset = (mail: { subject?: string }) => mail.subject === 'Set a new password';
  const mails = await app.mailsTo('victim@example.com', 3);
  const [link = ''] = /http:\S+/.exec(mails.find(isReset)?.text ?? '') ?? [];
  expect(await reset(link)).toBe(200);
  expectProblem(await stranger.get('/auth/user'), 401, 'token_not_valid');
  expectProblem(await stranger.refresh(), 401, 'token_not_valid');
  expectProblem(await app.client().login('victim@example.com'), 401, 'incorrect_credentials');
  expect((await app.open(away)).status).toBe(400);
  expect((await users()).map(({ email, email_verified }) => [email, email_verified])).toEqual([
    ['victim@example.com', true],
  ]);
});

test('a thief who changes the password voids the reset link; without hash and sessions the owner gets a link that works', async () => {
  app = await createMailApp({ emailVerification: 'none' });
  const thief = await app.signedUp('victim@example.com');
  await askReset('victim@example.com');
  const [first] = await app.mailsTo('victim@example.com');
  const change = { oldPassword: PASSWORD, newPassword: 'a sentence that the thief has chosen' };
  expect((await thief.send('POST', '/auth/password/change', change, thief.bearer)).status).toBe(200);
  expect(await reset(/http:\S+/.exec(first?.text ?? '')?.[0] ?? '')).toBe(401);

  const [{ id }] = await users();
  await app.database.pool.query('update app_user set password_hash = null where id = $1', [id]);
  await app.auth.sessions.revokeAll(id);
  expect((await app.client().login('victim@example.com', change.newPassword)).status).toBe(401);
  await askReset('victim@example.com');
  const isReset = (mail: { subject?: string }) => mail.subject === 'Set a new password';
  const links = (await app.mailsTo('victim@example.com', 3))
    .filter(isReset)
    .map(({ text }) => /http:\S+/.exec(text ?? '')?.[0]);
  expect(links).toHaveLength(2);
  expect(await reset(links[1] ?? '')).toBe(200);
});

test('a deactivated account is neither replaced nor mailed', async () => {
  app = await createMailApp({ emailVerification: 'mandatory' });
  await signUp('ada@example.com');
  await app.open(await app.linkTo('ada@example.com'));
  await app.database.pool.query('update app_user set is_active = false');
  const [before] = await users();
  expect((await signUp('ada@example.com', NEW)).status).toBe(201);
  await askReset('ada@example.com');
  await app.client().send('POST', '/auth/registration/verification/resend', { email: 'ada@example.com' });
  expect(await app.mailCount()).toBe(1);
  expect(await users()).toEqual([before]);
});

test('an account in use is never replaced, even if its address was never confirmed', async () => {
  app = await createMailApp({ emailVerification: 'optional' });
  await app.signedUp('ada@example.com');
  const [before] = await users();
  const stricter = await createMailApp({ emailVerification: 'mandatory' }, { database: app.database });
  const again = { email: 'ada@example.com', password: NEW };
  expect((await stricter.client().send('POST', '/auth/registration', again)).status).toBe(201);
  await app.database.pool.query('delete from auth_session'); // as a purge does, much later
  expect((await stricter.client().send('POST', '/auth/registration', again)).status).toBe(201);
  expect(await users()).toEqual([before]);
  await stricter.close();
});

test.each([
  ['upper and lower case', 'KATE@Example.COM'],
  ['a sign whose lower case is an ASCII letter', '\u212Aate@example.com'],
  ['white space', '  kate@example.com '],
])('mails go to the stored address of the owner if the requested address differs in %s', async (_, asked) => {
  app = await createMailApp({});
  await app.signedUp('kate@example.com');
  expect((await askReset(asked)).status).toBe(202);
  const [mail] = await app.mailsTo('kate@example.com');
  expect(mail?.subject).toBe('Set a new password');
  expect(await app.mailCount()).toBe(1);
});

test('an address that only looks the same is a different one', async () => {
  app = await createMailApp({ emailVerification: 'mandatory' });
  await signUp('ada@example.com');
  await app.open(await app.linkTo('ada@example.com'));
  await signUp('\u0430da@example.com', NEW); // with a Cyrillic letter
  await askReset('\u0430da@example.com');
  await app.auth.close();
  const toAda = app.sink.mails.filter(({ to }) => [to].flat().some((each) => each?.text === 'ada@example.com'));
  expect(toAda).toHaveLength(1);
  expect((await app.client().login('ada@example.com')).status).toBe(200);
  expectProblem(await app.client().login('ada@example.com', NEW), 401, 'incorrect_credentials');
});
