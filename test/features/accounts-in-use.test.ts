import { afterEach, expect, test } from 'vitest';
import { expectProblem } from '../support/expect-problem.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { PASSWORD } from '../support/test-client.js';
import { waitForBlocked } from '../support/test-database.js';

const EVE = 'eve@example.com';
let app: MailApp;
afterEach(() => app.close());

const query = async (sql: string) => (await app.database.pool.query(sql)).rows;
const eve = async () =>
  (await query("select id, role, password_hash from app_user where email = 'eve@example.com'"))[0];
const signUp = (email: string) => app.client().send('POST', '/auth/registration', { email, password: PASSWORD });
const open = async (which: string) => {
  const mail = (await app.mailsTo(EVE)).findLast(({ subject }) => subject === which);
  return app.open(/http:\S+/.exec(mail?.text ?? '')?.[0] ?? '');
};

/** An invited user, and an inviter. */
async function invited(emailVerification: 'none' | 'optional' | 'mandatory') {
  app = await createMailApp({ emailVerification, invitations: true });
  const staff = app.client();
  await signUp('staff@example.com');
  if (emailVerification === 'mandatory') await app.open(await app.linkTo('staff@example.com'));
  await query('update app_user set role = 1000');
  await staff.login('staff@example.com');
  const invite = () => staff.send('POST', '/auth/registration/user-register', { email: EVE, role: 700 }, staff.bearer);
  expect((await invite()).status).toBe(201);
  await app.mailsTo(EVE);
  return { invite, staff };
}

test.each(['none', 'optional', 'mandatory'] as const)(
  'an invited user for whom the app opened a session is never deleted when the invitation expires (%s)',
  async (mode) => {
    const { invite, staff } = await invited(mode);
    const before = await eve();
    await app.auth.sessions.open({ id: before.id, passwordHash: undefined });
    await query('delete from auth_session'); // as a purge does, much later
    app.clock.advance('8d');
    await app.auth.purge.run({ pause: async () => {} });
    if (mode !== 'mandatory') expectProblem(await signUp(EVE), 409, 'email_already_registered');
    else expect((await signUp(EVE)).status).toBe(201);
    await staff.login('staff@example.com');
    expectProblem(await invite(), 409, 'email_already_registered');
    expect(await eve()).toEqual(before);
    if (mode === 'mandatory') {
      await app.mailsTo(EVE, 2);
      expect(await query('select key_hash from auth_pending_sign_up where key_hash is not null')).toEqual([]);
    }
  },
);

test('an invitation stays valid until it expires, even after the app opened a session for the user', async () => {
  await invited('mandatory');
  await app.auth.sessions.open({ id: (await eve()).id, passwordHash: undefined });
  const cookie = (await open('You are invited')).cookies.get('set_password_access_token')?.split(';')[0] ?? '';
  const answer = await app
    .client()
    .send('POST', '/auth/registration/set-password', { newPassword: PASSWORD }, { cookie });
  expect([answer.status, (await app.client().login(EVE)).status]).toEqual([200, 200]);
});

test('a user whose session is being opened is not deleted when another person signs up with the address', async () => {
  await invited('none');
  const before = await eve();
  app.clock.advance('8d');
  const holder = await app.database.pool.connect();
  await holder.query('begin'); // the one statement of `sessions.open`, not yet committed
  await holder.query('select 1 from app_user where id = $1 for share', [before.id]);
  await holder.query("update auth_account set state = 'in_use' where user_id = $1", [before.id]);
  const answer = signUp(EVE);
  await waitForBlocked(app.database.pool, 1);
  await holder.query('commit');
  holder.release();
  expectProblem(await answer, 409, 'email_already_registered');
  expect(await eve()).toEqual(before);
});

test('under mandatory an expired invitation is replaced only when the link of a sign-up is opened', async () => {
  await invited('mandatory');
  const before = await eve();
  app.clock.advance('8d');
  expect((await signUp(EVE)).status).toBe(201);
  expect(await eve()).toEqual(before);
  await app.mailsTo(EVE, 2);
  expect((await open('Confirm your e-mail address')).status).toBe(200);
  expect(await eve()).toMatchObject({ role: 0, password_hash: expect.stringContaining('$argon2id$') });
  expect((await app.client().login(EVE)).status).toBe(200);
});

test('a pending invitation reserves its address: a sign-up with it is answered like any other, and creates no user', async () => {
  await invited('mandatory');
  const before = await eve();
  expect((await signUp(EVE)).status).toBe(201);
  expect((await app.mailsTo(EVE, 2))[1]?.subject).toBe('You already have an account');
  expectProblem(await app.client().login(EVE), 401, 'email_not_verified');
  expect(await eve()).toEqual(before);
});

test('under optional an account that was never confirmed is not deleted by a sign-up or an invitation', async () => {
  const { invite } = await invited('optional');
  await query("delete from app_user where email = 'eve@example.com'");
  await app.signedUp(EVE);
  await query('delete from auth_session where user_id = (select id from app_user where role = 0)');
  const before = await eve();
  app.clock.advance('1m');
  expectProblem(await signUp(EVE), 409, 'email_already_registered');
  expectProblem(await invite(), 409, 'email_already_registered');
  expect(await eve()).toEqual(before);
});
