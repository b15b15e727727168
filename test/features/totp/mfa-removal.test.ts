import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { totpModule } from '../../../src/features/totp/index.js';
import { totpCode } from '../../../src/features/totp/totp-testing.js';
import { codesModule, codesOf, entitiesWith } from '../../support/codes.module.js';
import { expectProblem } from '../../support/expect-problem.js';
import { claimsOf } from '../../support/race.js';
import { createTestApp, type TestApp } from '../../support/test-app.js';
import type { TestClient } from '../../support/test-client.js';
import { challenged, createTotpApp, type Enrolment, enrol, verify } from '../../support/totp-app.js';

let app: TestApp;
beforeAll(async () => {
  app = await createTotpApp({ auditLog: true });
});
afterAll(() => app.close());

let count = 0;
let email: string;
let client: TestClient;
let enrolment: Enrolment;
/** A client that has signed in with the password and a code. */
const signedIn = async () => {
  const own = app.client();
  await verify(own, { challenge: await challenged(app, email), code: enrolment.next() });
  return own;
};
const sub = () => claimsOf(client.access).sub as string;
const factors = async () => {
  const sql = 'select second_factors from auth_account where user_id = $1';
  return (await app.database.pool.query(sql, [sub()])).rows[0]?.second_factors;
};
const audited = async (event: string) =>
  (
    await app.database.pool.query('select details from auth_audit_event where event = $1 and user_id = $2', [
      event,
      sub(),
    ])
  ).rows.map(({ details }) => details);

beforeEach(async () => {
  email = `removal${++count}@example.com`;
  client = await app.signedUp(email);
  enrolment = await enrol(app, client);
  client = await signedIn();
});

describe('new recovery codes', () => {
  test('replace the old ones', async () => {
    const answer = await client.send('POST', '/auth/mfa/recovery-codes', undefined, client.bearer);
    expect([answer.status, Object.keys(answer.body)]).toEqual([200, ['recoveryCodes']]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const { recoveryCodes } = answer.body;
    expect(recoveryCodes).toHaveLength(10);
    const [old = ''] = enrolment.recoveryCodes;
    const challenge = await challenged(app, email);
    expectProblem(await verify(app.client(), { challenge, recoveryCode: old }), 400, 'code_not_valid');
    expect((await verify(app.client(), { challenge, recoveryCode: recoveryCodes[9] })).status).toBe(200);
    expect(await audited('mfa.recovery-codes-created')).toEqual([{}, {}]);
  });

  test('need an authenticator app and a live session', async () => {
    const other = await app.signedUp(`none${count}@example.com`);
    const without = await other.send('POST', '/auth/mfa/recovery-codes', undefined, other.bearer);
    expectProblem(without, 409, 'totp_not_enabled');
    await other.send('POST', '/auth/mfa/totp/setup', {}, other.bearer);
    const pending = await other.send('POST', '/auth/mfa/recovery-codes', undefined, other.bearer);
    expectProblem(pending, 409, 'totp_not_enabled');
    expectProblem(await app.client().send('POST', '/auth/mfa/recovery-codes'), 401, 'not_authenticated');
    await client.logout();
    const ended = await client.send('POST', '/auth/mfa/recovery-codes', undefined, client.bearer);
    expectProblem(ended, 401, 'token_not_valid');
  });
});

describe('a removal', () => {
  test('takes secret and recovery codes, voids sign-ins that have begun, and keeps the sessions', async () => {
    const challenge = await challenged(app, email);
    const other = await signedIn();
    expect(await factors()).toEqual(['totp']);
    const answer = await client.send('DELETE', '/auth/mfa/totp', undefined, client.bearer);
    expect([answer.status, answer.body]).toEqual([204, '']);
    expect(await factors()).toEqual([]);
    expect((await app.database.pool.query('select 1 from auth_totp where user_id = $1', [sub()])).rows).toEqual([]);
    const [recoveryCode = ''] = enrolment.recoveryCodes;
    expectProblem(await verify(app.client(), { challenge, recoveryCode }), 401, 'challenge_not_valid');
    expect((await app.client().login(email)).status).toBe(200);
    expect([(await client.refresh()).status, (await other.refresh()).status]).toEqual([200, 200]);
    expect(await audited('mfa.disabled')).toEqual([{ method: 'totp', by: 'user' }]);
  });

  test.each([
    ['DELETE', '/auth/mfa/totp'],
    ['POST', '/auth/mfa/recovery-codes'],
  ])('voids pending mailed links, as new recovery codes do: %s %s', async (method, path) => {
    const sql = `insert into auth_one_time_key (hash, purpose, user_id, email, expires_at)
      values ($1, 'email-change', $2, 'thief@example.com', now() + interval '1 day')`;
    await app.database.pool.query(sql, [method.padEnd(43, 'r'), sub()]);
    expect((await client.send(method, path, undefined, client.bearer)).status).toBeLessThan(300);
    const keys = await app.database.pool.query('select purpose from auth_one_time_key where user_id = $1', [sub()]);
    expect(keys.rows).toEqual([]);
  });

  test('needs an authenticator app and a live session', async () => {
    const other = await app.signedUp(`none${count}@example.com`);
    await other.send('POST', '/auth/mfa/totp/setup', {}, other.bearer);
    const without = await other.send('DELETE', '/auth/mfa/totp', undefined, other.bearer);
    expectProblem(without, 409, 'totp_not_enabled');
    expectProblem(await app.client().send('DELETE', '/auth/mfa/totp'), 401, 'not_authenticated');
    await client.logout();
    const ended = await client.send('DELETE', '/auth/mfa/totp', undefined, client.bearer);
    expectProblem(ended, 401, 'token_not_valid');
    expect(await factors()).toEqual(['totp']);
  });
});

describe('auth.mfa', () => {
  test('reads the state of a user', async () => {
    const state = { mode: 'optional', totp: true, recoveryCodesLeft: 10, passkeys: 0 };
    expect(await app.auth.mfa.status(sub())).toEqual(state);
  });

  test('reads the number of passkeys from the module that adds the second factor `passkey`', async () => {
    const passkeys = codesModule({ name: 'passkey', isAlwaysAsked: false });
    const both = await createTestApp({ orm: { entities: entitiesWith(totpModule, passkeys) } });
    const [owner, other] = [await both.signedUp(), await both.signedUp()];
    await codesOf(both.auth).give(claimsOf(owner.access).sub, ['one', 'two', 'three']);
    const state = { mode: 'optional', totp: false, recoveryCodesLeft: 0 };
    expect((await owner.get('/auth/mfa')).body).toEqual({ ...state, passkeys: 3 });
    expect((await other.get('/auth/mfa')).body).toEqual({ ...state, passkeys: 0 });
    await both.close();
  });

  test('counts the credentials of no other second factor as passkeys', async () => {
    const both = await createTestApp({ orm: { entities: entitiesWith(totpModule, codesModule()) } });
    const owner = await both.signedUp();
    await codesOf(both.auth).give(claimsOf(owner.access).sub, ['one']);
    expect((await owner.get('/auth/mfa')).body.passkeys).toBe(0);
    await both.close();
  });

  test('resets a user: the factor is gone, and so is every session', async () => {
    const challenge = await challenged(app, email);
    const other = await signedIn();
    const ended: string[] = [];
    const stop = app.auth.events.on('session.revoked', ({ reason }) => ended.push(reason));
    expect(await app.auth.mfa.reset(sub())).toBe(true);
    stop();
    expect(ended).toEqual(Array(3).fill('factor-change')); // that of the sign-up, and two of sign-ins
    expect([(await client.refresh()).status, (await other.refresh()).status]).toEqual([401, 401]);
    const code = totpCode(enrolment.secret, app.clock.now() + 30_000);
    expectProblem(await verify(app.client(), { challenge, code }), 401, 'challenge_not_valid');
    expect((await app.client().login(email)).status).toBe(200);
    expect(await audited('mfa.disabled')).toEqual([{ method: 'totp', by: 'operator' }]);
  });

  test('resets a user whose authenticator app was deleted in the database', async () => {
    await app.database.pool.query('delete from auth_totp where user_id = $1', [sub()]);
    expectProblem(await app.client().login(email), 500, 'internal_error');
    expect(await app.auth.mfa.reset(sub())).toBe(true);
    expect((await client.refresh()).status).toBe(401);
    expect((await app.client().login(email)).status).toBe(200);
    expect(await audited('mfa.disabled')).toEqual([{ method: 'totp', by: 'operator' }]);
    expect(await app.auth.mfa.reset(sub())).toBe(false);
  });

  test('changes nothing for a user without an authenticator app', async () => {
    const other = await app.signedUp(`none${count}@example.com`);
    expect(await app.auth.mfa.reset(claimsOf(other.access).sub)).toBe(false);
    expect((await other.refresh()).status).toBe(200);
  });
});

describe('with MFA_MODE=required', () => {
  let strict: TestApp;
  beforeAll(async () => {
    strict = await createTotpApp({ mfaMode: 'required' });
  });
  afterAll(() => strict.close());

  test('a user without a factor sets one up at the sign-in, which then succeeds', async () => {
    const signUp = await strict.client().register('new@example.com');
    expect([signUp.status, signUp.body.methods, signUp.cookie]).toEqual([401, ['totp_setup'], undefined]);
    const { status, body } = await strict.client().login('new@example.com');
    expect([status, body.code, body.methods]).toEqual([401, 'second_factor_required', ['totp_setup']]);
    const own = strict.client();
    const { answer, secret } = await enrol(strict, own, { challenge: body.challenge });
    expect(Object.keys(answer.body).sort()).toEqual(['access', 'recoveryCodes']);
    expect(answer.cookie?.name).toBe('refresh_token');
    expect(claimsOf(answer.body.access).amr).toEqual(['pwd', 'otp', 'mfa']);
    expect((await strict.client().login('new@example.com')).body.methods).toEqual(['totp', 'recovery_code']);

    own.access = answer.body.access;
    expect((await own.get('/auth/mfa')).body).toMatchObject({ mode: 'required', totp: true });
    const removal = await own.send('DELETE', '/auth/mfa/totp', undefined, own.bearer);
    expectProblem(removal, 409, 'second_factor_required_by_policy');
    expect((await own.get('/auth/mfa')).body).toMatchObject({ totp: true, recoveryCodesLeft: 10 });
    const challenge = await challenged(strict, 'new@example.com');
    strict.clock.advance(30);
    const code = totpCode(secret, strict.clock.now());
    expect((await verify(strict.client(), { challenge, code })).status).toBe(200); // it works as before
  });

  test('a wrong first code is counted, and the challenge stays', async () => {
    await strict.client().register('wrong@example.com');
    const { challenge } = (await strict.client().login('wrong@example.com')).body;
    const none = await strict.client().send('POST', '/auth/mfa/totp/confirm', { challenge, code: '000000' });
    expectProblem(none, 400, 'code_not_valid'); // there is no secret yet
    await strict.client().send('POST', '/auth/mfa/totp/setup', { challenge });
    for (let i = 0; i < 4; i++) {
      const wrong = await strict.client().send('POST', '/auth/mfa/totp/confirm', { challenge, code: '000000' });
      expectProblem(wrong, 400, 'code_not_valid');
    }
    const over = await strict.client().send('POST', '/auth/mfa/totp/confirm', { challenge, code: '000000' });
    expectProblem(over, 401, 'challenge_not_valid');
  });

  test('a challenge that requires a set-up cannot be answered with a code or a recovery code', async () => {
    await strict.client().register('kind@example.com');
    const challenge = await challenged(strict, 'kind@example.com');
    const code = { challenge, code: '000000' };
    expectProblem(await verify(strict.client(), code), 401, 'challenge_not_valid');
    const recoveryCode = { challenge, recoveryCode: '00000-00000' };
    expectProblem(await verify(strict.client(), recoveryCode), 401, 'challenge_not_valid');
  });

  test('of two set-ups for two challenges at the same moment, one succeeds', async () => {
    await strict.client().register('two@example.com');
    const challenges = [await challenged(strict, 'two@example.com'), await challenged(strict, 'two@example.com')];
    const { body } = await strict.client().send('POST', '/auth/mfa/totp/setup', { challenge: challenges[0] });
    const code = totpCode(body.secret, strict.clock.now());
    const both = await Promise.all(
      challenges.map((challenge) => strict.client().send('POST', '/auth/mfa/totp/confirm', { challenge, code })),
    );
    expect(both.map(({ status }) => status).sort()).toEqual([200, 401]);
  });

  test('the other sessions of the user end when the factor is set up, unless the request keeps them', async () => {
    const lenient = await createTotpApp({}, { database: strict.database });
    for (const revokeOthers of [true, false]) {
      const address = `older-${revokeOthers}@example.com`;
      const older = await lenient.signedUp(address);
      const challenge = await challenged(strict, address);
      const own = strict.client();
      await enrol(strict, own, { challenge, revokeOthers });
      expect((await older.refresh()).status).toBe(revokeOthers ? 401 : 200);
    }
    await lenient.close();
  });
});
