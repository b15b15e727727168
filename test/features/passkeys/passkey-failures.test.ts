import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AuthEventMap } from '../../../src/index.js';
import { expectProblem } from '../../support/expect-problem.js';
import { type MailApp, PUBLIC_URL } from '../../support/mail-app.js';
import {
  createPasskeyOwner,
  createPasskeysApp,
  creationOptions,
  type Forgery,
  login,
  newAuthenticator,
  type PasskeyOwner,
  requestOptions,
  sessionFor,
  signIn,
} from '../../support/passkeys-app.js';
import { enrol } from '../../support/totp-app.js';

let app: MailApp;
let failures: AuthEventMap['passkey.failed'][];
beforeAll(async () => {
  app = await createPasskeysApp({ auditLog: true, mfaRateLimit: '6/15m/account' });
  app.auth.events.on('passkey.failed', (event) => failures.push(event));
});
afterAll(() => app.close());
beforeEach(() => {
  failures = [];
});

const audited = async (user: string) => {
  const sql = `select details from auth_audit_event where user_id = $1 and event = 'passkey.failed'`;
  return (await app.database.pool.query(sql, [user])).rows.map(({ details }) => details);
};

/** Expects that these failures of the user were emitted and recorded, and no other. */
async function expectFailures(user: string, expected: readonly object[]) {
  const details = expected.map((each) => ({ ip: '127.0.0.1', ...each }));
  const at = new Date(app.clock.now());
  expect(failures).toEqual(details.map((each) => ({ user, at, ...each })));
  // The rows of one instant have no order.
  const recorded = await audited(user);
  expect([recorded.length, recorded]).toEqual([details.length, expect.arrayContaining(details)]);
}

const counting = () => newAuthenticator({ isCounting: true });

describe('a refused sign-in with a known passkey', () => {
  test.each<[string, Forgery]>([
    ['another origin', { origin: 'https://evil.example' }],
    ['another domain', { rpId: 'evil.example' }],
    ['no user verification', { isUserVerified: false }],
  ])('is an event if the response has %s', async (_what, forgery) => {
    const { id, authenticator, passkey } = await createPasskeyOwner(app);
    expectProblem(await signIn(app.client(), authenticator, forgery), 401, 'passkey_not_valid');
    await expectFailures(id, [{ passkey, purpose: 'login', reason: 'response' }]);
  });

  test('is a warning for the operator if its origin is not allowed, once a minute for each origin', async () => {
    const { id, authenticator } = await createPasskeyOwner(app);
    const client = await sessionFor(app, id);
    const start = app.log.length;
    const long = `https://${'a'.repeat(300)}.example`;
    for (const origin of ['https://pages.example', 'https://pages.example', long, 'https://\u202e.example'])
      expectProblem(await signIn(app.client(), authenticator, { origin }), 401, 'passkey_not_valid');
    const topOrigin = { crossOrigin: true, topOrigin: 'https://frame.example' };
    expectProblem(await signIn(app.client(), authenticator, { clientData: topOrigin }), 401, 'passkey_not_valid');
    const credential = newAuthenticator().create(await creationOptions(client), { origin: 'https://new.example' });
    const registration = '/auth/passkeys/registration';
    expectProblem(await client.send('POST', registration, { credential }, client.bearer), 400, 'passkey_not_valid');
    expectProblem(await signIn(app.client(), authenticator, { isUserVerified: false }), 401, 'passkey_not_valid');
    app.clock.advance('1m');
    expectProblem(
      await signIn(app.client(), authenticator, { origin: 'https://pages.example' }),
      401,
      'passkey_not_valid',
    );
    const common = { level: 'warn', code: 'passkey_not_valid', allowed: [PUBLIC_URL] };
    const message = expect.stringMatching(
      /page or app is not allowed; .* list all origins of the app in passkeyOrigins$/,
    );
    expect(app.log.slice(start)).toEqual([
      { ...common, message, origin: 'https://pages.example' },
      { ...common, message, origin: `https://${'a'.repeat(192)}`, omitted: 1 },
      { ...common, message, origin: 'https://frame.example' },
      { ...common, message, origin: 'https://new.example' },
      { ...common, message, origin: 'https://pages.example' },
    ]);
  });

  test('is an event if the signature is wrong, or the response is cut off', async () => {
    const { id, authenticator, passkey } = await createPasskeyOwner(app);
    const credential = authenticator.get(await requestOptions(app.client()));
    const other = authenticator.get(await requestOptions(app.client()));
    const forged = { ...credential, response: { ...credential.response, signature: other.response.signature } };
    for (const each of [forged, { id: credential.id }])
      expectProblem(await login(app.client(), { credential: each }), 401, 'passkey_not_valid');
    const failure = { passkey, purpose: 'login', reason: 'response' };
    await expectFailures(id, [failure, failure]);
  });

  test('is an event if the challenge is foreign or has expired, or was used before', async () => {
    const { id, authenticator, passkey } = await createPasskeyOwner(app);
    const { rpId } = await requestOptions(app.client());
    const invented = authenticator.get({ challenge: Buffer.alloc(54).toString('base64url'), rpId });
    expectProblem(await login(app.client(), { credential: invented }), 401, 'passkey_not_valid');
    expect(failures.splice(0)).toMatchObject([{ user: id, passkey, reason: 'challenge' }]);
    const credential = authenticator.get(await requestOptions(app.client()));
    expect((await login(app.client(), { credential })).status).toBe(200);
    expectProblem(await login(app.client(), { credential }), 401, 'passkey_not_valid');
    expect(failures.splice(0)).toMatchObject([{ user: id, passkey, reason: 'replay' }]);
    app.clock.advance(300);
    expectProblem(await login(app.client(), { credential }), 401, 'passkey_not_valid');
    expect(failures).toMatchObject([{ user: id, passkey, reason: 'challenge' }]);
  });

  test('is an event if the counter has not grown, and later because the passkey is disabled', async () => {
    const { id, authenticator, passkey } = await createPasskeyOwner(app, counting());
    expect((await signIn(app.client(), authenticator, { counter: 4 })).status).toBe(200);
    for (const counter of [4, 5])
      expectProblem(await signIn(app.client(), authenticator, { counter }), 401, 'passkey_not_valid');
    const failure = { passkey, purpose: 'login' };
    await expectFailures(id, [
      { ...failure, reason: 'counter' },
      { ...failure, reason: 'disabled' },
    ]);
  });
});

test('a passkey that the app does not know causes no event at a sign-in', async () => {
  const before = (await app.database.pool.query('select count(*) from auth_audit_event')).rows;
  const authenticator = newAuthenticator();
  const other = await createPasskeysApp();
  await createPasskeyOwner(other, authenticator);
  await other.close();
  for (const credential of [authenticator.get(await requestOptions(app.client())), {}, { id: '?' }, { id: 1 }])
    expectProblem(await login(app.client(), { credential }), 401, 'passkey_not_valid');
  expect(failures).toEqual([]);
  expect((await app.database.pool.query('select count(*) from auth_audit_event')).rows).toEqual(before);
});

test('a sign-in that a gate refuses, and one that succeeds, are no failures of the passkey', async () => {
  const { id, authenticator } = await createPasskeyOwner(app);
  expect((await signIn(app.client(), authenticator)).status).toBe(200);
  await app.database.pool.query('update app_user set is_active = false where id = $1', [id]);
  expectProblem(await signIn(app.client(), authenticator), 401, 'no_active_account');
  await expectFailures(id, []);
});

describe('a wrong answer to a challenge', () => {
  /** A user with an authenticator app and a passkey. */
  async function createBoth(): Promise<PasskeyOwner> {
    const owner = await createPasskeyOwner(app);
    await enrol(app, await sessionFor(app, owner.id));
    return owner;
  }

  test('is an event of the user of the challenge, who may have another passkey, or none like it', async () => {
    const [owner, other] = [await createBoth(), await createPasskeyOwner(app)];
    const challenge = await owner.login();
    const options = await requestOptions(app.client(), { challenge });
    const { rpId } = options;
    const wrong = owner.authenticator.get(options, { origin: 'https://evil.example' });
    const foreign = other.authenticator.get({ challenge: options.challenge, rpId });
    for (const credential of [wrong, foreign, {}])
      expectProblem(await login(app.client(), { challenge, credential }), 401, 'passkey_not_valid');
    await expectFailures(owner.id, [
      { passkey: owner.passkey, purpose: 'answer', reason: 'response' },
      { purpose: 'answer', reason: 'foreign' },
      { purpose: 'answer', reason: 'unknown' },
    ]);
    expect(await audited(other.id)).toEqual([]);
  });

  test('causes no event over the limit, and none without a valid challenge', async () => {
    const owner = await createBoth();
    for (const count of [1, 2, 3, 4, 5, 6]) {
      const challenge = await owner.login();
      expectProblem(await login(app.client(), { challenge, credential: {} }), 401, 'passkey_not_valid');
      expect(failures).toHaveLength(count);
    }
    const challenge = await owner.login();
    const credential = owner.authenticator.get(await requestOptions(app.client()));
    expectProblem(await login(app.client(), { challenge, credential }), 429, 'too_many_requests');
    expectProblem(await login(app.client(), { challenge: 'x', credential }), 401, 'challenge_not_valid');
    expect(failures).toHaveLength(6);
  });
});

test('a wrong passkey at a re-authentication is an event of the signed-in user', async () => {
  const [owner, other] = [await createPasskeyOwner(app), await createPasskeyOwner(app)];
  const client = await sessionFor(app, owner.id);
  const options = await requestOptions(client, {}, client.bearer);
  const foreign = other.authenticator.get({ challenge: options.challenge, rpId: options.rpId });
  const wrong = owner.authenticator.get(options, { isUserVerified: false });
  for (const credential of [foreign, wrong, {}]) {
    const answer = await client.send('POST', '/auth/reauthenticate', { credential }, client.bearer);
    expectProblem(answer, 401, 'incorrect_credentials');
  }
  await expectFailures(owner.id, [
    { purpose: 'reauthentication', reason: 'foreign' },
    { passkey: owner.passkey, purpose: 'reauthentication', reason: 'response' },
    { purpose: 'reauthentication', reason: 'unknown' },
  ]);
  const right = owner.authenticator.get(options);
  expect((await client.send('POST', '/auth/reauthenticate', { credential: right }, client.bearer)).status).toBe(200);
  expect(failures).toHaveLength(3);
});
