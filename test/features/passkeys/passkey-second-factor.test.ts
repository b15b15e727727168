import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem } from '../../support/expect-problem.js';
import type { MailApp } from '../../support/mail-app.js';
import {
  addPasskey,
  createPasskeyOwner,
  createPasskeysApp,
  type Forgery,
  login,
  newAuthenticator,
  passkeyRows,
  requestOptions,
  sessionFor,
  signIn,
} from '../../support/passkeys-app.js';
import { createPerson } from '../../support/person.js';
import { claimsOf } from '../../support/race.js';
import { enrol, verify } from '../../support/totp-app.js';

let app: MailApp;
beforeAll(async () => {
  app = await createPasskeysApp();
});
afterAll(() => app.close());

/** A person with an authenticator app and a passkey. */
async function createBoth(at = app, authenticator = newAuthenticator()) {
  const owner = await createPasskeyOwner(at, authenticator);
  const totp = await enrol(at, await sessionFor(at, owner.id, ['pwd', 'otp', 'mfa']));
  await at.auth.sessions.revokeAll(owner.id);
  return { ...owner, totp };
}

describe('the challenge of a sign-in', () => {
  test('names the passkey, whose options name those of its user only', async () => {
    const owner = await createBoth();
    await createPasskeyOwner(app);
    const { body } = await app.client().login(owner.email);
    expect(body.methods).toEqual(expect.arrayContaining(['totp', 'recovery_code', 'passkey']));
    const options = await requestOptions(app.client(), { challenge: body.challenge });
    expect(options.allowCredentials).toEqual([
      { id: owner.authenticator.passkeys[0]?.id, type: 'public-key', transports: ['hybrid', 'internal'] },
    ]);
    expect(options.userVerification).toBe('required');
  });

  test.each([
    [true, 'swk'],
    [false, 'hwk'],
  ])(
    'is answered by a passkey (backup eligible: %s), whose session has both methods',
    async (isBackupEligible, key) => {
      const owner = await createBoth(app, newAuthenticator({ isBackupEligible }));
      const challenge = await owner.login();
      const client = app.client();
      const answer = await signIn(client, owner.authenticator, { challenge, userHandle: null });
      expect([answer.status, Object.keys(answer.body)]).toEqual([200, ['access']]);
      expect(claimsOf(client.access)).toMatchObject({ sub: owner.id, amr: ['pwd', key, 'user', 'mfa'] });
      expect(await owner.live()).toEqual([claimsOf(client.access).session]);
      expect(await owner.challenges()).toEqual([]);
      expect(await passkeyRows(app, owner.id)).toMatchObject([{ last_used_at: expect.any(Date) }]);
    },
  );

  test.each<[string, Forgery]>([
    ['another origin', { origin: 'https://evil.example' }],
    ['no user verification', { isUserVerified: false }],
    ['another user handle', { userHandle: Buffer.alloc(32).toString('base64url') }],
    ['another type', { type: 'webauthn.create' }],
  ])('counts a wrong answer with %s, five of which void it', async (_what, forgery) => {
    const owner = await createBoth();
    const challenge = await owner.login();
    for (let count = 1; count <= 5; count++) {
      const credential = owner.authenticator.get(await requestOptions(app.client(), { challenge }), forgery);
      expectProblem(await login(app.client(), { challenge, credential }), 401, 'passkey_not_valid');
      expect(await owner.challenges()).toMatchObject([{ attempts: count }]);
    }
    const refused = await login(app.client(), { challenge, credential: {} });
    expectProblem(refused, 401, 'challenge_not_valid');
    expect(await owner.live()).toEqual([]);
    expect(await passkeyRows(app, owner.id)).toMatchObject([{ last_used_at: null }]);
  });

  test('shares the limit of wrong answers with codes, and is not looked at over it', async () => {
    const limited = await createPasskeysApp({ mfaRateLimit: '3/15m/account' });
    const owner = await createBoth(limited);
    const challenge = await owner.login();
    expect((await verify(limited.client(), { challenge, code: '000000' })).status).toBe(400);
    for (let count = 0; count < 2; count++)
      expectProblem(await login(limited.client(), { challenge, credential: {} }), 401, 'passkey_not_valid');
    const again = await owner.login();
    const credential = owner.authenticator.get(await requestOptions(limited.client(), { challenge: again }));
    expectProblem(await login(limited.client(), { challenge: again, credential }), 429, 'too_many_requests');
    limited.clock.advance(900);
    expect((await signIn(limited.client(), owner.authenticator, { challenge: await owner.login() })).status).toBe(200);
    await limited.close();
  });

  test('is not answered by the passkey of another user, nor by a signature for something else', async () => {
    const [owner, other] = [await createBoth(), await createBoth()];
    const challenge = await owner.login();
    const { challenge: own } = await requestOptions(app.client(), { challenge });
    const foreign = other.authenticator.get({ challenge: own, rpId: 'accounts.test' });
    expectProblem(await login(app.client(), { challenge, credential: foreign }), 401, 'passkey_not_valid');
    const discoverable = owner.authenticator.get(await requestOptions(app.client()));
    expectProblem(await login(app.client(), { challenge, credential: discoverable }), 401, 'passkey_not_valid');
    const otherChallenge = await requestOptions(app.client(), { challenge: await owner.login() });
    const credential = owner.authenticator.get(otherChallenge);
    expectProblem(await login(app.client(), { challenge, credential }), 401, 'passkey_not_valid');
    expect(await passkeyRows(app, other.id)).toMatchObject([{ last_used_at: null }]);
    expect(await owner.live()).toEqual([]);
  });

  test('answers once, and only if it is valid and has the method', async () => {
    const owner = await createBoth();
    const challenge = await owner.login();
    const credential = owner.authenticator.get(await requestOptions(app.client(), { challenge }));
    expect((await login(app.client(), { challenge, credential })).status).toBe(200);
    expectProblem(await login(app.client(), { challenge, credential }), 401, 'challenge_not_valid');
    const options = await app.client().send('POST', '/auth/passkeys/login/options', { challenge });
    expectProblem(options, 401, 'challenge_not_valid');
    const person = await createPerson(app);
    await enrol(app, await sessionFor(app, person.id));
    const without = await person.login();
    const body = { challenge: without };
    expectProblem(await app.client().send('POST', '/auth/passkeys/login/options', body), 401, 'challenge_not_valid');
    expectProblem(await login(app.client(), { ...body, credential }), 401, 'challenge_not_valid');
  });

  test('disables a passkey whose counter has gone back, although its own transaction is rolled back', async () => {
    const owner = await createBoth(app, newAuthenticator({ isCounting: true }));
    await signIn(app.client(), owner.authenticator, { counter: 7 });
    const challenge = await owner.login();
    const answer = await signIn(app.client(), owner.authenticator, { challenge, counter: 7 });
    expectProblem(answer, 401, 'passkey_not_valid');
    expect(await passkeyRows(app, owner.id)).toMatchObject([{ disabled_at: expect.any(Date) }]);
    const { body } = await app.client().login(owner.email);
    expect([...body.methods].sort()).toEqual(['recovery_code', 'totp']);
    expect((await verify(app.client(), { challenge: body.challenge, code: owner.totp.next() })).status).toBe(200);
  });
});

describe('where every user must have a second factor', () => {
  let required: MailApp;
  beforeAll(async () => {
    required = await createPasskeysApp({ mfaMode: 'required' });
  });
  afterAll(() => required.close());

  test('a passkey is one, and a password alone asks for it', async () => {
    const owner = await createPasskeyOwner(required);
    const { body } = await required.client().login(owner.email);
    expect(body.methods).toEqual(['passkey']);
    const client = required.client();
    expect((await signIn(client, owner.authenticator, { challenge: body.challenge })).status).toBe(200);
    expect((await signIn(required.client(), owner.authenticator)).status).toBe(200);
  });

  test('the last one stays, also if a disabled passkey or nothing else is left', async () => {
    const owner = await createPasskeyOwner(required);
    const client = required.client();
    await signIn(client, owner.authenticator);
    const remove = (id: string) => client.send('DELETE', `/auth/passkeys/${id}`, undefined, client.bearer);
    expectProblem(await remove(owner.passkey), 409, 'second_factor_required_by_policy');
    const second = await addPasskey(client);
    await required.database.pool.query('update auth_passkey set disabled_at = now() where id = $1', [second.id]);
    expectProblem(await remove(owner.passkey), 409, 'second_factor_required_by_policy');
    expect((await remove(second.id)).status).toBe(204);
    await addPasskey(client);
    expect((await remove(owner.passkey)).status).toBe(204);
    expect(await passkeyRows(required, owner.id)).toHaveLength(1);
  });

  test('it stays at a password reset, also if it was added before the address was proved', async () => {
    const owner = await createPasskeyOwner(required);
    await required.database.pool.query('update auth_passkey set proved_email = null');
    await required.client().send('POST', '/auth/password/reset', { email: owner.email });
    const opened = await required.open(await required.linkTo(owner.email, 2));
    const cookie = opened.cookies.get('password_reset_access_token')?.split(';')[0] ?? '';
    const body = { newPassword: 'another sentence of some length' };
    const answer = await required.client().send('POST', '/auth/password/reset/set-new', body, { cookie });
    expect([answer.status, answer.body.code, answer.body.methods]).toEqual([
      401,
      'second_factor_required',
      ['passkey'],
    ]);
    expect(await passkeyRows(required, owner.id)).toHaveLength(1);
  });

  test('the authenticator app can go while a passkey is left, and not the other way round', async () => {
    const owner = await createBoth(required);
    const client = required.client();
    await signIn(client, owner.authenticator);
    expect((await client.send('DELETE', '/auth/mfa/totp', undefined, client.bearer)).status).toBe(204);
    const answer = await client.send('DELETE', `/auth/passkeys/${owner.passkey}`, undefined, client.bearer);
    expectProblem(answer, 409, 'second_factor_required_by_policy');
  });
});

describe('a signed-in user', () => {
  const prove = async (client: Awaited<ReturnType<typeof sessionFor>>, credential: unknown) =>
    client.send('POST', '/auth/reauthenticate', { credential }, client.bearer);

  test('makes the session fresh with a passkey, and with the second factor', async () => {
    const owner = await createBoth();
    const client = await sessionFor(app, owner.id);
    app.clock.advance(1000);
    const options = await requestOptions(client, {}, client.bearer);
    expect(options.allowCredentials).toMatchObject([{ id: owner.authenticator.passkeys[0]?.id }]);
    const answer = await prove(client, owner.authenticator.get(options, { userHandle: null }));
    expect([answer.status, Object.keys(answer.body)]).toEqual([200, ['access']]);
    client.access = answer.body.access;
    expect(claimsOf(client.access)).toMatchObject({
      amr: ['pwd', 'swk', 'user', 'mfa'],
      auth_time: Math.floor(app.clock.now() / 1000),
    });
    await addPasskey(client);
  });

  test('is refused a wrong or foreign signature with one answer, which is counted', async () => {
    const limited = await createPasskeysApp({ mfaRateLimit: '6/15m/account' });
    const [owner, other] = [await createBoth(limited), await createBoth(limited)];
    const client = await sessionFor(limited, owner.id);
    const options = () => requestOptions(client, {}, client.bearer);
    const { challenge } = await options();
    const wrong = [
      owner.authenticator.get(await options(), { isUserVerified: false }),
      other.authenticator.get({ challenge, rpId: 'accounts.test' }),
      owner.authenticator.get(await requestOptions(limited.client())),
      owner.authenticator.get(await requestOptions(await sessionFor(limited, owner.id), {}, client.bearer), {
        origin: 'https://evil.example',
      }),
      {},
    ];
    for (const credential of wrong) expectProblem(await prove(client, credential), 401, 'incorrect_credentials');
    const right = owner.authenticator.get(await options());
    expect((await prove(client, right)).status).toBe(200);
    expectProblem(await prove(client, right), 401, 'incorrect_credentials');
    expectProblem(await prove(client, owner.authenticator.get(await options())), 429, 'too_many_requests');
    expectProblem(await prove(client, 'a text'), 400, 'validation_failed');
    expect(await passkeyRows(limited, other.id)).toMatchObject([{ last_used_at: null }]);
    await limited.close();
  });

  test('needs a live session, whose options are good in no other', async () => {
    const owner = await createPasskeyOwner(app);
    const [client, another] = [await sessionFor(app, owner.id), await sessionFor(app, owner.id)];
    const credential = owner.authenticator.get(await requestOptions(client, {}, client.bearer));
    expectProblem(await prove(another, credential), 401, 'incorrect_credentials');
    expect((await prove(client, credential)).status).toBe(200);
    await app.auth.sessions.revokeAll(owner.id);
    const headers = client.bearer;
    const refused = await app.client().send('POST', '/auth/passkeys/login/options', {}, headers);
    expect([refused.status, refused.body.code]).toEqual([401, 'token_not_valid']);
    expect((await prove(client, credential)).body.code).toBe('token_not_valid');
  });

  test('disables a passkey whose counter has gone back', async () => {
    const owner = await createPasskeyOwner(app, newAuthenticator({ isCounting: true }));
    await signIn(app.client(), owner.authenticator, { counter: 7 });
    const client = await sessionFor(app, owner.id);
    const options = await requestOptions(client, {}, client.bearer);
    expectProblem(await prove(client, owner.authenticator.get(options, { counter: 2 })), 401, 'incorrect_credentials');
    expect(await passkeyRows(app, owner.id)).toMatchObject([{ disabled_at: expect.any(Date) }]);
    const refused = await client.send('POST', '/auth/passkeys/login/options', {}, client.bearer);
    expectProblem(refused, 404, 'passkey_not_found');
  });

  test('gets no options without a passkey: the browser would offer those of other accounts', async () => {
    const client = await sessionFor(app, (await createPerson(app)).id);
    const refused = await client.send('POST', '/auth/passkeys/login/options', {}, client.bearer);
    expectProblem(refused, 404, 'passkey_not_found');
  });

  test('with a passkey and without a password gets no code by mail, until the passkey is removed', async () => {
    const owner = await createPasskeyOwner(app);
    await app.database.pool.query('update app_user set password_hash = null where id = $1', [owner.id]);
    const askForCode = async () => {
      const client = await sessionFor(app, owner.id);
      return client.send('POST', '/auth/reauthenticate/code', undefined, client.bearer);
    };
    expectProblem(await askForCode(), 409, 'mail_code_not_available');
    await app.auth.passkeys.reset(owner.id);
    expect((await askForCode()).status).toBe(202);
  });

  test('has a limit of signatures for the network, and sign-ins do not count for it', async () => {
    const limited = await createPasskeysApp({ passkeyRateLimit: '2/15m/ip' });
    const owner = await createPasskeyOwner(limited);
    const client = await sessionFor(limited, owner.id);
    for (const [status, code] of [
      [401, 'incorrect_credentials'],
      [401, 'incorrect_credentials'],
      [429, 'too_many_requests'],
    ] as const)
      expectProblem(await prove(client, {}), status, code);
    expect((await signIn(limited.client(), owner.authenticator)).status).toBe(200);
    await limited.close();
  });
});

test('the hook before a sign-in runs once for a right passkey, and for no wrong or used one', async () => {
  const seen: unknown[] = [];
  const hooked = await createPasskeysApp(
    {},
    { auth: { hooks: { beforeSignIn: async ({ user, amr }) => void seen.push([user.email, amr]) } } },
  );
  const owner = await createPasskeyOwner(hooked, newAuthenticator({ isCounting: true }));
  const credential = owner.authenticator.get(await requestOptions(hooked.client()));
  expect((await login(hooked.client(), { credential })).status).toBe(200);
  expect(seen).toEqual([[owner.email, ['swk', 'user', 'mfa']]]);
  expect((await login(hooked.client(), { credential })).status).toBe(401);
  expect((await signIn(hooked.client(), owner.authenticator, { isUserVerified: false })).status).toBe(401);
  expect((await signIn(hooked.client(), owner.authenticator, { counter: 1 })).status).toBe(401);
  expect(seen).toHaveLength(1);
  expect(await passkeyRows(hooked, owner.id)).toMatchObject([{ disabled_at: expect.any(Date) }]);
  await hooked.close();
});
