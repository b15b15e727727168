import { afterEach, beforeEach, expect, test } from 'vitest';
import { expectProblem } from '../../support/expect-problem.js';
import type { MailApp } from '../../support/mail-app.js';
import { createPerson, type Person } from '../../support/person.js';
import { claimsOf } from '../../support/race.js';
import { PASSWORD, type TestClient } from '../../support/test-client.js';
import { createTotpMailApp, enrol, verify } from '../../support/totp-app.js';

const NEW = 'another sentence of some length';

let app: MailApp;
let person: Person;
/** A session without the second factor. The address was confirmed once; an administrator has changed it since. */
let client: TestClient;
const start = async (mfaMode: 'optional' | 'required') => {
  app = await createTotpMailApp({ emailVerification: 'mandatory', mfaMode });
  person = await createPerson(app, { emailVerified: false });
  client = await withSession(['pwd']);
};
beforeEach(() => start('optional'));
afterEach(() => app.close());

const withSession = async (amr: readonly string[]): Promise<TestClient> => {
  const { access, refresh } = await app.auth.sessions.open(person, { amr });
  return Object.assign(app.client(), { access, refreshToken: refresh });
};

/** What a refused change must not alter. */
const state = async () => ({
  user: (await app.database.pool.query('select * from app_user')).rows,
  account: (await app.database.pool.query('select * from auth_account')).rows,
  sessions: await app.sessions(),
  challenges: await person.challenges(),
  mails: await app.mailCount(),
});

test('a password change that would end in a challenge is refused before anything is changed', async () => {
  const { next } = await enrol(app, await withSession(['pwd']), { revokeOthers: false });
  const before = await state();

  const answer = await client.changePassword(PASSWORD, NEW);

  expectProblem(answer, 401, 'email_not_verified');
  expect([answer.body.challenge, answer.cookie]).toEqual([undefined, undefined]);
  expect(await state()).toEqual(before);

  await app.database.pool.query('update app_user set email_verified = true');
  const { status, body } = await client.changePassword(PASSWORD, NEW);
  expect([status, body.code]).toEqual([401, 'second_factor_required']);
  const owner = app.client();
  expect((await verify(owner, { challenge: body.challenge, code: next() })).status).toBe(200);
  expect(claimsOf(owner.access).amr).toEqual(['pwd', 'otp', 'mfa']);
});

test('a session with the second factor changes the password', async () => {
  await enrol(app, client);
  const owner = await withSession(['pwd', 'otp', 'mfa']);
  expect((await owner.changePassword(PASSWORD, NEW)).status).toBe(200);
});

test('with MFA_MODE=required, a user without a factor gets the same refusal', async () => {
  await app.close();
  await start('required');
  const before = await state();
  expectProblem(await client.changePassword(PASSWORD, NEW), 401, 'email_not_verified');
  expect(await state()).toEqual(before);
});
