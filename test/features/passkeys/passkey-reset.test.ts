import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem } from '../../support/expect-problem.js';
import type { MailApp } from '../../support/mail-app.js';
import {
  addPasskey,
  createPasskeyOwner,
  createPasskeysApp,
  creationOptions,
  newAuthenticator,
  passkeyRows,
  register,
  rowsOf,
  sessionFor,
  signIn,
} from '../../support/passkeys-app.js';
import { createPerson } from '../../support/person.js';
import { enrol, verify } from '../../support/totp-app.js';

let app: MailApp;
let required: MailApp;
beforeAll(async () => {
  app = await createPasskeysApp({ auditLog: true });
  required = await createPasskeysApp({ mfaMode: 'required' });
});
afterAll(async () => {
  await app.close();
  await required.close();
});

const factorsOf = async ({ database: { pool } }: MailApp, user: string) =>
  (await pool.query('select second_factors, credential_epoch from auth_account where user_id = $1', [user])).rows;
const removals = async (user: string) => {
  const sql = `select details from auth_audit_event where user_id = $1 and event = 'passkey.removed'`;
  return (await app.database.pool.query(sql, [user])).rows.map(({ details }) => details);
};

describe('a reset of the passkeys of a user', () => {
  test('removes all of them, ends all sessions, and is recorded and mailed', async () => {
    const owner = await createPasskeyOwner(app);
    const second = newAuthenticator({ isCounting: true });
    const { id: disabled } = await addPasskey(await sessionFor(app, owner.id), second);
    await signIn(app.client(), second, { counter: 5 });
    expect((await signIn(app.client(), second, { counter: 5 })).status).toBe(401); // it is disabled now
    const bystander = await createPasskeyOwner(app);
    const session = await sessionFor(app, owner.id);
    const pending = second.create({ ...(await creationOptions(session)), excludeCredentials: [] });
    const [before] = await factorsOf(app, owner.id);
    const ended: string[] = [];
    const stop = app.auth.events.on('session.revoked', ({ reason }) => ended.push(reason));

    expect(await app.auth.passkeys.reset(owner.id)).toBe(true);
    stop();
    expect(await passkeyRows(app, owner.id)).toEqual([]);
    expect(await owner.live()).toEqual([]);
    expect(new Set(ended)).toEqual(new Set(['factor-change']));
    expect(await factorsOf(app, owner.id)).toEqual([
      { second_factors: [], credential_epoch: before.credential_epoch + 1 },
    ]);
    const recorded = await removals(owner.id);
    expect(recorded).toHaveLength(2);
    expect(recorded).toEqual(
      expect.arrayContaining([owner.passkey, disabled].map((passkey) => ({ passkey, by: 'operator' }))),
    );
    const subjects = (await app.mailsTo(owner.email, 4)).map(({ subject }) => subject);
    expect(subjects.filter((subject) => subject === 'A passkey was removed from your account')).toHaveLength(1);
    expectProblem(await signIn(app.client(), owner.authenticator), 401, 'passkey_not_valid');
    expectProblem(await register(session, { credential: pending }), 401, 'token_not_valid');
    expect((await signIn(app.client(), bystander.authenticator)).status).toBe(200);
  });

  test('changes nothing for a user who has none', async () => {
    const person = await createPerson(app);
    const client = await sessionFor(app, person.id);
    const before = await rowsOf(app);
    expect(await app.auth.passkeys.reset(person.id)).toBe(false);
    expect(await rowsOf(app)).toBe(before);
    expect((await client.refresh()).status).toBe(200);
  });

  test('keeps the authenticator app', async () => {
    const owner = await createPasskeyOwner(app);
    const totp = await enrol(app, await sessionFor(app, owner.id));
    const begun = await owner.login();
    expect(await app.auth.passkeys.reset(owner.id)).toBe(true);
    expectProblem(await verify(app.client(), { challenge: begun, code: totp.next() }), 401, 'challenge_not_valid');
    const { body } = await app.client().login(owner.email);
    expect(body.methods).toEqual(['totp', 'recovery_code']);
    expect((await verify(app.client(), { challenge: body.challenge, code: totp.next() })).status).toBe(200);
  });

  test('lets a user set up a factor where every user must have one', async () => {
    const owner = await createPasskeyOwner(required);
    expect((await required.client().login(owner.email)).body.methods).toEqual(['passkey']);
    expect(await required.auth.passkeys.reset(owner.id)).toBe(true);
    expect((await required.client().login(owner.email)).body.methods).toEqual(['totp_setup']);
  });
});

describe('an account whose passkeys were deleted in the database', () => {
  test('is refused, with the reason in the log, until its passkeys are reset', async () => {
    const owner = await createPasskeyOwner(required);
    await required.database.pool.query('delete from auth_passkey where user_id = $1', [owner.id]);
    required.log.splice(0);
    expectProblem(await required.client().login(owner.email), 500, 'internal_error');
    expect(JSON.stringify(required.log.splice(0))).toContain(
      'the account has the second factor passkey, but no credentials of it',
    );
    expect([await owner.live(), await owner.challenges()]).toEqual([[], []]);
    expect(await required.auth.passkeys.reset(owner.id)).toBe(true);
    expect((await factorsOf(required, owner.id))[0]?.second_factors).toEqual([]);
    expect((await required.client().login(owner.email)).body.methods).toEqual(['totp_setup']);
    expect(await required.auth.passkeys.reset(owner.id)).toBe(false);
  });

  test('answers challenges with its other factor', async () => {
    const owner = await createPasskeyOwner(required);
    const totp = await enrol(required, await sessionFor(required, owner.id, ['pwd', 'swk', 'user', 'mfa']));
    await required.database.pool.query('delete from auth_passkey where user_id = $1', [owner.id]);
    const { body } = await required.client().login(owner.email);
    expect(body.methods).toEqual(['totp', 'recovery_code']);
    expect((await verify(required.client(), { challenge: body.challenge, code: totp.next() })).status).toBe(200);
  });
});
