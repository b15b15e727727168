import { afterEach, beforeEach, expect, test } from 'vitest';
import { expectProblem } from '../../support/expect-problem.js';
import { createMailApp, type MailApp } from '../../support/mail-app.js';
import { PASSWORD, type TestClient } from '../../support/test-client.js';
import { waitForBlocked } from '../../support/test-database.js';

let app: MailApp;
let ada: TestClient;
beforeEach(async () => {
  app = await createMailApp({});
  ada = await app.signedUp('ada@example.com');
});
afterEach(() => app.close());

const change = (email: string, password = PASSWORD) =>
  ada.send('POST', '/auth/email/change', { email, password }, ada.bearer);
const emails = async () =>
  (await app.database.pool.query('select email from app_user order by 1')).rows.map((r) => r.email);

test('an address changes when the link to the new one is opened, and the old one gets a notice', async () => {
  expect((await change('Countess@example.com')).status).toBe(202);
  const [notice] = await app.mailsTo('ada@example.com');
  expect(notice?.text).toContain('countess@example.com');
  expect(await emails()).toEqual(['ada@example.com']);
  const link = await app.linkTo('countess@example.com');
  expect((await app.open(link)).status).toBe(200);
  expect((await app.open(link)).status).toBe(200);
  expect(await emails()).toEqual(['countess@example.com']);
  expect((await app.client().login('countess@example.com')).status).toBe(200);
  expectProblem(await app.client().login('ada@example.com'), 401, 'incorrect_credentials');
  expect(await app.liveSessions()).toBe(2);
});

test('a link that was mailed to the old address does not work after the change', async () => {
  await app.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
  const reset = await app.linkTo('ada@example.com');
  await change('countess@example.com');
  await app.open(await app.linkTo('countess@example.com'));
  expect((await app.open(reset)).status).toBe(400);
});

test('a change requires the password and a different address', async () => {
  expectProblem(await change('countess@example.com', 'a wrong password'), 401, 'incorrect_credentials');
  expectProblem(await change(' ADA@example.com'), 400, 'validation_failed');
  expectProblem(
    await app.client().send('POST', '/auth/email/change', { email: 'x@example.com', password: PASSWORD }),
    401,
    'not_authenticated',
  );
  expect(await app.mailCount()).toBe(0);
});

test('no link is mailed to an address that is taken, and the answer does not show it', async () => {
  await app.signedUp('bob@example.com');
  expect((await change('bob@example.com')).status).toBe(202);
  await app.mailsTo('ada@example.com');
  expect(await app.mailCount()).toBe(1);
});

test('an address stays with the user who signed up with it during the change', async () => {
  await change('countess@example.com');
  const link = await app.linkTo('countess@example.com');
  await app.signedUp('countess@example.com');
  expect((await app.open(link)).status).toBe(400);
  expect(await emails()).toEqual(['ada@example.com', 'countess@example.com']);
});

test('a new password cancels a change that is not confirmed', async () => {
  await change('thief@example.com');
  const link = await app.linkTo('thief@example.com');
  expect((await ada.changePassword(PASSWORD, 'a new sentence of some length')).status).toBe(200);
  expect((await app.open(link)).status).toBe(400);
  expect(await emails()).toEqual(['ada@example.com']);
});

test('a change fails if another user takes the address at the moment when the link is opened', async () => {
  await change('countess@example.com');
  const link = await app.linkTo('countess@example.com');
  const other = await app.database.pool.connect();
  await other.query('begin');
  await other.query(
    "insert into app_user (id, email, permissions) values (gen_random_uuid(), 'countess@example.com', '[]')",
  );
  const opening = app.open(link);
  await waitForBlocked(app.database.pool, 1);
  await other.query('commit');
  other.release();
  expect((await opening).status).toBe(400);
  expect(await emails()).toEqual(['ada@example.com', 'countess@example.com']);
});
