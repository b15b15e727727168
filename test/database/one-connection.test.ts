import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { PASSWORD } from '../support/test-client.js';

/** Requests that work here hold one connection at a time, so that requests cannot wait for each other's connections. */
let app: MailApp;
beforeAll(async () => {
  app = await createMailApp(
    { emailVerification: 'mandatory', maxSessionsPerUser: 2, auditLog: true },
    { orm: { driverOptions: { max: 1, connectionTimeoutMillis: 1000 } } },
  );
});
afterAll(() => app.close());

test('a sign-up, a change of address, a reset, a new password and a deletion need one connection of the pool', async () => {
  const ada = app.client();
  expect((await ada.register('ada@example.com')).status).toBe(201);
  expect((await app.open(await app.linkTo('ada@example.com'))).status).toBe(200);
  expect((await ada.login('ada@example.com')).status).toBe(200);
  const change = { email: 'countess@example.com', password: PASSWORD };
  expect((await ada.send('POST', '/auth/email/change', change, ada.bearer)).status).toBe(202);
  expect((await app.open(await app.linkTo('countess@example.com'))).status).toBe(200);
  await app.client().send('POST', '/auth/password/reset', { email: 'countess@example.com' });
  expect((await app.open(await app.linkTo('countess@example.com', 2))).status).toBe(303);
  const newPassword = 'a violet anvil under snow';
  const passwords = { oldPassword: PASSWORD, newPassword };
  expect((await ada.send('POST', '/auth/password/change', passwords, ada.bearer)).status).toBe(200);
  await ada.login('countess@example.com', newPassword);
  expect((await ada.refresh()).status).toBe(200);
  expect((await ada.send('DELETE', '/auth/user', { password: newPassword }, ada.bearer)).status).toBe(204);
  const { rows } = await app.database.pool.query('select email from app_user');
  expect(rows).toEqual([]);
});
