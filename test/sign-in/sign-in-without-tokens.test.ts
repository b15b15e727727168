import { afterEach, beforeEach, expect, test } from 'vitest';
import { type BaseUser, type ForUserOptions, RefreshToken } from '../../src/index.js';
import { expectProblem } from '../support/expect-problem.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { PASSWORD } from '../support/test-client.js';

const NEW = 'a new sentence of some length';
let isAway = false;

class DependentToken extends RefreshToken {
  static override async forUser(user: BaseUser, options?: ForUserOptions) {
    if (isAway) throw new Error('the permission service is away');
    return super.forUser(user, options);
  }
}

let app: MailApp;
const emitted: string[] = [];
beforeEach(async () => {
  isAway = false;
  app = await createMailApp({ refreshToken: DependentToken, auditLog: true });
  for (const name of ['password.changed', 'session.opened', 'session.revoked'] as const) {
    app.auth.events.on(name, () => emitted.push(name));
  }
});
afterEach(() => app.close());

/** All state that a sign-in could change. */
async function state() {
  const sessions = await app.sessions();
  const { rows: users } = await app.database.pool.query('select * from app_user order by id');
  const { rows: keys } = await app.database.pool.query('select * from auth_one_time_key order by hash');
  const { rows: audit } = await app.database.pool.query('select event from auth_audit_event order by id');
  return { sessions, users, keys, audit, emitted: [...emitted] };
}

test('a sign-in for which no tokens can be created keeps the session whose cookie it would replace', async () => {
  const client = await app.signedUp('ada@example.com');
  const before = await state();
  isAway = true;
  expectProblem(await client.login('ada@example.com', PASSWORD, client.cookieHeader), 500, 'internal_error');
  expect(await state()).toEqual(before);
  isAway = false;
  expect((await client.refresh()).status).toBe(200);
});

test('a password change for which no tokens can be created changes nothing', async () => {
  const client = await app.signedUp('ada@example.com');
  const before = await state();
  isAway = true;
  expectProblem(await client.changePassword(PASSWORD, NEW), 500, 'internal_error');
  expect(await state()).toEqual(before);
  isAway = false;
  expect((await client.changePassword(PASSWORD, NEW)).status).toBe(200);
  expect((await app.client().login('ada@example.com', NEW)).status).toBe(200);
});

test('a reset for which no tokens can be created leaves the link valid', async () => {
  await app.signedUp('ada@example.com');
  await app.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
  const opened = await app.open(await app.linkTo('ada@example.com'));
  const cookie = opened.cookies.get('password_reset_access_token')?.split(';')[0] ?? '';
  const setNew = () => app.client().send('POST', '/auth/password/reset/set-new', { newPassword: NEW }, { cookie });
  const before = await state();
  isAway = true;
  expectProblem(await setNew(), 500, 'internal_error');
  expect(await state()).toEqual(before);
  isAway = false;
  expect((await setNew()).status).toBe(200);
});
