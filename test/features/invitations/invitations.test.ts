import { afterEach, beforeEach, expect, test } from 'vitest';
import { expectProblem } from '../../support/expect-problem.js';
import { createMailApp, type MailApp } from '../../support/mail-app.js';
import { PASSWORD, type TestClient } from '../../support/test-client.js';

const COOKIE = 'set_password_access_token';
let app: MailApp;
let staff: TestClient;
beforeEach(async () => {
  app = await createMailApp({ invitations: true, emailVerification: 'mandatory' });
  staff = await inviter(1000);
});
afterEach(() => app.close());

/** A client with a role. */
async function inviter(role: number): Promise<TestClient> {
  const client = app.client();
  const email = `role${role}@example.com`;
  await app.client().send('POST', '/auth/registration', { email, password: PASSWORD });
  await app.open(await app.linkTo(email));
  await app.database.pool.query('update app_user set role = $1 where email = $2', [role, email]);
  await client.login(email);
  return client;
}
const invite = (by: TestClient, email: string, role = 0) =>
  by.send('POST', '/auth/registration/user-register', { email, role, firstName: 'Eve' }, by.bearer);
const accept = (cookie: string) =>
  app.client().send('POST', '/auth/registration/set-password', { newPassword: PASSWORD }, { cookie });
const cookieOf = async (link: string) => (await app.open(link)).cookies.get(COOKIE)?.split(';')[0] ?? '';

test('an invited person sets a password and is signed in, once', async () => {
  expect((await invite(staff, 'Eve@example.com', 700)).status).toBe(201);
  expectProblem(await app.client().login('eve@example.com'), 401, 'incorrect_credentials');
  const cookie = await cookieOf(await app.linkTo('eve@example.com'));
  const [first, second] = await Promise.all([accept(cookie), accept(cookie)]);
  expect([first.status, second.status].sort()).toEqual([200, 401]);
  const eve = app.client();
  expect((await eve.login('eve@example.com')).status).toBe(200);
  expect((await eve.get('/auth/user')).body).toMatchObject({ firstName: 'Eve', role: 700, emailVerified: true });
});

test('only the configured roles can invite, and none can give a role above its own', async () => {
  expectProblem(await invite(await inviter(0), 'eve@example.com'), 403, 'permission_denied');
  const superuser = await inviter(900);
  expectProblem(await invite(superuser, 'eve@example.com', 1000), 403, 'permission_denied');
  expect((await invite(superuser, 'eve@example.com', 900)).status).toBe(201);
  expectProblem(await invite(app.client(), 'eve@example.com'), 401, 'not_authenticated');
});

test('a user who lost the role after the token was issued cannot invite', async () => {
  await app.database.pool.query('update app_user set role = 0');
  expectProblem(await invite(staff, 'eve@example.com'), 403, 'permission_denied');
});

test('a pending invitation reserves its address; an expired one does not', async () => {
  await invite(staff, 'eve@example.com', 700);
  const link = await app.linkTo('eve@example.com');
  expectProblem(await invite(staff, 'eve@example.com'), 409, 'email_already_registered');
  const signUp = { email: 'eve@example.com', password: PASSWORD };
  expect((await app.client().send('POST', '/auth/registration', signUp)).status).toBe(201);
  await app.mailsTo('eve@example.com', 2);
  app.clock.advance('7d');
  expect((await app.open(link)).status).toBe(400);
  await app.client().send('POST', '/auth/registration', signUp);
  await app.open(await app.linkTo('eve@example.com', 3));
  const eve = app.client();
  expect((await eve.login('eve@example.com')).status).toBe(200);
  expect((await eve.get('/auth/user')).body.role).toBe(0);
});

test('an address in use cannot be invited', async () => {
  expectProblem(await invite(staff, 'ROLE1000@example.com'), 409, 'email_already_registered');
});

test('with the app in charge of registration there is no sign-up', async () => {
  const closed = await createMailApp({ invitations: true, adminManagedRegistration: true });
  const answer = await closed.client().register('ada@example.com');
  expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
  await closed.close();
});

test('without INVITATIONS there are no invitations', async () => {
  const without = await createMailApp({});
  const client = await without.signedUp();
  const answer = await client.send(
    'POST',
    '/auth/registration/user-register',
    { email: 'a@example.com', role: 0 },
    client.bearer,
  );
  expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
  await without.close();
});
