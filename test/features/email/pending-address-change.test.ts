import { afterEach, beforeEach, expect, test } from 'vitest';
import { createMailApp, type MailApp } from '../../support/mail-app.js';
import { PASSWORD, type TestClient } from '../../support/test-client.js';

let app: MailApp;
let owner: TestClient;
let link: string;
beforeEach(async () => {
  app = await createMailApp({});
  owner = await app.signedUp('owner@example.com');
  const body = { email: 'thief@example.com', password: PASSWORD };
  expect((await owner.send('POST', '/auth/email/change', body, owner.bearer)).status).toBe(202);
  link = await app.linkTo('thief@example.com');
});
afterEach(() => app.close());

const emails = async () => (await app.database.pool.query('select email from app_user')).rows.map(({ email }) => email);

test.each<[what: string, end: () => Promise<unknown>]>([
  ['sign-out everywhere', () => owner.logoutAll()],
  ['the end of the other sessions', () => owner.send('POST', '/auth/sessions/revoke-others', undefined, owner.bearer)],
  [
    'the end of every session by the app',
    async () => app.auth.sessions.revokeAll((await app.database.pool.query('select id from app_user')).rows[0].id),
  ],
])('a pending change of the address is cancelled by %s', async (_, end) => {
  await end();
  expect((await app.open(link)).status).toBe(400);
  expect(await emails()).toEqual(['owner@example.com']);
  expect((await app.database.pool.query('select purpose from auth_one_time_key')).rows).toEqual([]);
});

test('a pending change of the address survives a sign-out of one device, and a sign-in', async () => {
  expect((await owner.logout()).status).toBe(204);
  await app.client().login('owner@example.com');
  expect((await app.open(link)).status).toBe(200);
  expect(await emails()).toEqual(['thief@example.com']);
});

test('sign-out everywhere keeps mailed links that depend only on the address', async () => {
  await app.client().send('POST', '/auth/password/reset', { email: 'owner@example.com' });
  const reset = await app.linkTo('owner@example.com', 2);
  await owner.logoutAll();
  expect((await app.open(reset)).status).toBe(303);
});
