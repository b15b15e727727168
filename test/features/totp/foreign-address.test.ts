import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MailApp } from '../../support/mail-app.js';
import { claimsOf } from '../../support/race.js';
import { PASSWORD } from '../../support/test-client.js';
import { challenged, createTotpMailApp, enrol, verify } from '../../support/totp-app.js';

const NEW = 'a password that only the owner of the mailbox knows';

let app: MailApp;
beforeAll(async () => {
  app = await createTotpMailApp({ emailVerification: 'optional', auditLog: true });
});
afterAll(() => app.close());

/** Sets a new password over the link that is mailed to the address. */
async function reset(email: string) {
  const before = (await app.mailsTo(email)).length;
  await app.client().send('POST', '/auth/password/reset', { email });
  const opened = await app.open(await app.linkTo(email, before + 1));
  const cookie = opened.cookies.get('password_reset_access_token')?.split(';')[0] ?? '';
  return app.client().send('POST', '/auth/password/reset/set-new', { newPassword: NEW }, { cookie });
}

const factors = async (user: string) => {
  const sql = `select second_factors, (select count(*)::int from auth_totp where user_id = $1) as secrets
    from auth_account where user_id = $1`;
  return (await app.database.pool.query(sql, [user])).rows[0];
};

test('the owner of a mailbox takes back an account that a stranger has given a second factor', async () => {
  const email = 'owner@example.com';
  const stranger = await app.signedUp(email);
  const user = claimsOf(stranger.access).sub as string;
  const enrolment = await enrol(app, stranger);
  await app.mailsTo(email, 2); // the notice of the factor
  const challenge = await challenged(app, email);

  const answer = await reset(email);

  expect([answer.status, claimsOf(answer.body.access)]).toMatchObject([200, { sub: user, amr: ['mail', 'pwd'] }]);
  expect(await factors(user)).toEqual({ second_factors: [], secrets: 0 });
  const sql = `select details from auth_audit_event where event = 'mfa.disabled' and user_id = $1`;
  const { rows } = await app.database.pool.query(sql, [user]);
  expect(rows).toEqual([{ details: { method: 'totp', by: 'mailbox-owner' } }]);
  const late = await verify(app.client(), { challenge, code: enrolment.next() });
  expect([late.status, late.body.code, late.cookie]).toEqual([401, 'challenge_not_valid', undefined]);
  expect((await stranger.refresh()).status).toBe(401);
  expect((await app.client().login(email, PASSWORD)).status).toBe(401);
  expect((await app.client().login(email, NEW)).status).toBe(200);
});

test('a password reset keeps the second factor of an owner who had confirmed the address', async () => {
  const email = 'confirmed@example.com';
  const owner = await app.signedUp(email);
  const user = claimsOf(owner.access).sub as string;
  await app.open(await app.linkTo(email));
  const { next } = await enrol(app, owner);
  await app.mailsTo(email, 2);

  const answer = await reset(email);

  expect([answer.status, answer.body.code, answer.cookie]).toEqual([401, 'second_factor_required', undefined]);
  expect(await factors(user)).toEqual({ second_factors: ['totp'], secrets: 1 });
  const client = app.client();
  expect((await verify(client, { challenge: answer.body.challenge, code: next() })).status).toBe(200);
  expect(claimsOf(client.access).amr).toEqual(['mail', 'pwd', 'otp', 'mfa']);
});
