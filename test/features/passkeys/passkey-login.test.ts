import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem } from '../../support/expect-problem.js';
import type { MailApp } from '../../support/mail-app.js';
import {
  createPasskeyOwner,
  createPasskeysApp,
  login,
  newAuthenticator,
  passkeyRows,
  requestOptions,
  rowsOf,
  signIn,
} from '../../support/passkeys-app.js';
import { claimsOf } from '../../support/race.js';

let app: MailApp;
beforeAll(async () => {
  app = await createPasskeysApp({ auditLog: true });
});
afterAll(() => app.close());

const usedChallenges = async () =>
  (await app.database.pool.query('select hash, expires_at from auth_used_passkey_challenge')).rows;

describe('a sign-in', () => {
  test('has options that are the same for everybody, name no passkey and write nothing', async () => {
    await createPasskeyOwner(app);
    const before = await rowsOf(app);
    const answer = await app.client().send('POST', '/auth/passkeys/login/options');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect([answer.status, answer.body]).toEqual([
      200,
      {
        challenge: expect.stringMatching(/^[\w-]{72}$/),
        rpId: 'accounts.test',
        allowCredentials: [],
        timeout: 300_000,
        userVerification: 'required',
      },
    ]);
    expect((await requestOptions(app.client())).challenge).not.toBe(answer.body.challenge);
    expect(await rowsOf(app)).toBe(before);
  });

  test.each([
    [{ isBackupEligible: true }, 'swk', '0'],
    [{ isBackupEligible: false }, 'hwk', '1'],
    [{ algorithm: 'EdDSA' as const }, 'swk', '0'],
    [{ algorithm: 'RS256' as const }, 'swk', '0'],
  ])('with the authenticator %j opens a session with `amr` %s', async (options, key, counter) => {
    const owner = await createPasskeyOwner(app, newAuthenticator(options));
    app.clock.advance(60);
    const client = app.client();
    const answer = await signIn(client, owner.authenticator);
    expect([answer.status, answer.body]).toEqual([200, { access: expect.any(String) }]);
    expect(answer.cookie?.attributes).toContain('HttpOnly');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const claims = claimsOf(answer.body.access);
    expect(claims).toMatchObject({
      sub: owner.id,
      amr: [key, 'user', 'mfa'],
      auth_time: Math.floor(app.clock.now() / 1000),
    });
    expect(await owner.live()).toEqual([claims.session]);
    expect((await client.get('/auth/user')).body.email).toBe(owner.email);
    expect(await passkeyRows(app, owner.id)).toMatchObject([{ counter, last_used_at: new Date(app.clock.now()) }]);
    expect((await client.get('/auth/passkeys')).body).toMatchObject([
      { id: owner.passkey, lastUsedAt: new Date(app.clock.now()).toISOString() },
    ]);
    expect((await client.refresh()).status).toBe(200);
  });

  test('passes the second factor of a user with an authenticator app', async () => {
    const owner = await createPasskeyOwner(app);
    await app.database.pool.query(`update auth_account set second_factors = '{passkey,totp}' where user_id = $1`, [
      owner.id,
    ]);
    expect((await signIn(app.client(), owner.authenticator)).status).toBe(200);
    expect((await app.client().login(owner.email)).body.code).toBe('second_factor_required');
  });

  test('does not ask the user of a passkey for it after a password', async () => {
    const owner = await createPasskeyOwner(app);
    expect((await app.client().login(owner.email)).status).toBe(200);
  });

  test('of a user without a password needs only the passkey', async () => {
    const owner = await createPasskeyOwner(app, newAuthenticator(), { passwordHash: null });
    expect((await signIn(app.client(), owner.authenticator)).status).toBe(200);
  });

  test('records whether the passkey is backed up now', async () => {
    const owner = await createPasskeyOwner(app, newAuthenticator({ isBackedUp: false }));
    expect(await passkeyRows(app, owner.id)).toMatchObject([{ is_backed_up: false }]);
    await signIn(app.client(), owner.authenticator, { isBackedUp: true });
    expect(await passkeyRows(app, owner.id)).toMatchObject([{ is_backed_up: true }]);
  });

  test('uses its challenge up, which is kept until it has expired', async () => {
    const owner = await createPasskeyOwner(app);
    const before = await usedChallenges();
    const credential = owner.authenticator.get(await requestOptions(app.client()));
    expect((await login(app.client(), { credential })).status).toBe(200);
    const used = (await usedChallenges()).filter(({ hash }) => !before.some((row) => row.hash === hash));
    expect(used).toHaveLength(1);
    const rows = await rowsOf(app);
    expectProblem(await login(app.client(), { credential }), 401, 'passkey_not_valid');
    expect(await rowsOf(app)).toBe(rows);
    const secondsLeft = (used[0].expires_at.getTime() - app.clock.now()) / 1000;
    expect(secondsLeft).toBeGreaterThan(298);
    app.clock.advance(secondsLeft + 299);
    await app.auth.purge.run({ pause: async () => {} });
    expect(await usedChallenges()).toEqual(expect.arrayContaining(used));
    app.clock.advance(1);
    const { usedPasskeyChallenges: due } = (await app.auth.purge.run({ dryRun: true })) as Record<string, number>;
    expect(due).toBeGreaterThan(0);
    expect(await app.auth.purge.run({ pause: async () => {} })).toMatchObject({ usedPasskeyChallenges: due });
    expect(await usedChallenges()).not.toEqual(expect.arrayContaining(used));
  });

  test.each([
    ['is not active', { isActive: false }, 'no_active_account'],
    ['has no confirmed address under `mandatory`', { emailVerified: false }, 'email_not_verified'],
  ])('is refused for a user who %s, and uses nothing up', async (_what, change, code) => {
    const other = await createPasskeysApp({ emailVerification: 'mandatory' });
    const owner = await createPasskeyOwner(other);
    const column = 'isActive' in change ? 'is_active' : 'email_verified';
    await other.database.pool.query(`update app_user set ${column} = false where id = $1`, [owner.id]);
    const before = await rowsOf(other);
    const credential = owner.authenticator.get(await requestOptions(other.client()));
    expectProblem(await login(other.client(), { credential }), 401, code);
    expect(await rowsOf(other)).toBe(before);
    await other.database.pool.query(`update app_user set ${column} = true where id = $1`, [owner.id]);
    expect((await login(other.client(), { credential })).status).toBe(200);
    await other.close();
  });

  test('is refused from a foreign origin', async () => {
    const owner = await createPasskeyOwner(app);
    const credential = owner.authenticator.get(await requestOptions(app.client()));
    const refused = await login(app.client(), { credential }, { origin: 'https://evil.example' });
    expectProblem(refused, 403, 'csrf_failed');
    expect((await login(app.client(), { credential })).status).toBe(200);
  });

  test.each([
    ['no credential', {}],
    ['a credential that is a text', { credential: 'x' }],
    ['a challenge that is no text', { credential: {}, challenge: 1 }],
    ['an unknown field', { credential: {}, more: true }],
  ])('is refused with %s', async (_what, body) => {
    expectProblem(await login(app.client(), body), 400, 'validation_failed');
  });
});

describe('the counter of a passkey', () => {
  const counting = () => newAuthenticator({ isCounting: true });
  /** Signs in with a counter. */
  const at = (owner: Awaited<ReturnType<typeof createPasskeyOwner>>, counter: number) =>
    signIn(app.client(), owner.authenticator, { counter });

  test('may grow by any number', async () => {
    const owner = await createPasskeyOwner(app, counting());
    for (const counter of [1, 2, 500, 4_294_967_295]) expect((await at(owner, counter)).status).toBe(200);
    expect(await passkeyRows(app, owner.id)).toMatchObject([{ counter: '4294967295', disabled_at: null }]);
  });

  test.each([
    ['goes back', 7],
    ['stays the same', 8],
    ['goes back to zero', 0],
  ])('that %s disables the passkey, once, with an event and a mail', async (_what, counter) => {
    const owner = await createPasskeyOwner(app, counting());
    expect((await at(owner, 8)).status).toBe(200);
    const [session] = await owner.live();
    app.clock.advance(1);
    expectProblem(await at(owner, counter), 401, 'passkey_not_valid');
    expect(await owner.live()).toEqual([session]);
    const rows = await passkeyRows(app, owner.id);
    expect(rows).toMatchObject([{ counter: '8', disabled_at: new Date(app.clock.now()) }]);
    expectProblem(await at(owner, 9), 401, 'passkey_not_valid');
    expectProblem(await at(owner, counter), 401, 'passkey_not_valid');
    expect(await passkeyRows(app, owner.id)).toEqual(rows);
    const sql = `select event, details from auth_audit_event where user_id = $1 and event = 'passkey.disabled'`;
    expect((await app.database.pool.query(sql, [owner.id])).rows).toEqual([
      { event: 'passkey.disabled', details: { passkey: owner.passkey } },
    ]);
    const subjects = (await app.mailsTo(owner.email, 2)).map(({ subject }) => subject);
    expect(subjects).toEqual(['A passkey was added to your account', 'A passkey of your account was disabled']);
    expect(await app.auth.passkeys.list(owner.id)).toMatchObject([{ isDisabled: true }]);
    const { rows: accounts } = await app.database.pool.query(
      'select second_factors from auth_account where user_id = $1',
      [owner.id],
    );
    expect(accounts).toEqual([{ second_factors: [] }]);
  });

  test('does not disable the passkey when a browser sends the same signature twice', async () => {
    const owner = await createPasskeyOwner(app, counting());
    const credential = owner.authenticator.get(await requestOptions(app.client()));
    const answers = await Promise.all([1, 2, 3].map(() => login(app.client(), { credential })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401]);
    expect(await passkeyRows(app, owner.id)).toMatchObject([{ disabled_at: null }]);
    expect((await signIn(app.client(), owner.authenticator)).status).toBe(200);
  });

  test('does not matter in a response with a wrong signature', async () => {
    const owner = await createPasskeyOwner(app, counting());
    await at(owner, 8);
    const credential = owner.authenticator.get(await requestOptions(app.client()), { counter: 3 });
    const signature = Buffer.from(credential.response.signature, 'base64url');
    signature.writeUInt8(signature.readUInt8(signature.length - 1) ^ 1, signature.length - 1);
    const response = { ...credential.response, signature: signature.toString('base64url') };
    expectProblem(await login(app.client(), { credential: { ...credential, response } }), 401, 'passkey_not_valid');
    expect(await passkeyRows(app, owner.id)).toMatchObject([{ counter: '8', disabled_at: null }]);
  });

  test('does not disable the passkeys of others, nor those of authenticators that do not count', async () => {
    const [owner, other] = [await createPasskeyOwner(app), await createPasskeyOwner(app)];
    for (let count = 0; count < 3; count++) expect((await signIn(app.client(), owner.authenticator)).status).toBe(200);
    expect(await passkeyRows(app, owner.id)).toMatchObject([{ counter: '0', disabled_at: null }]);
    expect(await passkeyRows(app, other.id)).toMatchObject([{ disabled_at: null }]);
  });
});

test('the limit of requests without a session counts options and sign-ins apart, for each network', async () => {
  const limited = await createPasskeysApp(
    { passkeyRateLimit: '3/1m/ip' },
    { express: 5, configure: (express) => void express.set('trust proxy', true) },
  );
  const from = (ip: string) => ({ 'x-forwarded-for': ip });
  const options = (ip: string) => limited.client().send('POST', '/auth/passkeys/login/options', {}, from(ip));
  const tries = (ip: string) => login(limited.client(), { credential: {} }, from(ip));
  for (let count = 0; count < 3; count++) {
    expect((await options('192.0.2.1')).status).toBe(200);
    expectProblem(await tries('192.0.2.1'), 401, 'passkey_not_valid');
  }
  expectProblem(await options('192.0.2.1'), 429, 'too_many_requests');
  expectProblem(await tries('192.0.2.1'), 429, 'too_many_requests');
  expect((await options('192.0.2.2')).status).toBe(200);
  expect((await tries('192.0.2.2')).status).toBe(401);
  const owner = await createPasskeyOwner(limited);
  const { access } = await limited.auth.sessions.open({ id: owner.id });
  const bearer = { ...from('192.0.2.1'), authorization: `Bearer ${access}` };
  expect((await limited.client().send('POST', '/auth/passkeys/login/options', {}, bearer)).status).toBe(200);
  limited.clock.advance(60);
  expect((await options('192.0.2.1')).status).toBe(200);
  await limited.close();
});
