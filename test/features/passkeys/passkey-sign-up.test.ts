import { afterEach, describe, expect, test } from 'vitest';
import type { SettingsInput } from '../../../src/index.js';
import { expectProblem } from '../../support/expect-problem.js';
import type { MailApp } from '../../support/mail-app.js';
import { askOptions, sendSignUp, signUpOptions, signUpWithPasskey, userWith } from '../../support/passkey-sign-ups.js';
import {
  addPasskey,
  createPasskeysApp,
  newAuthenticator,
  passkeyRows,
  rowsOf,
  signIn,
} from '../../support/passkeys-app.js';
import { claimsOf } from '../../support/race.js';
import type { TestAppOptions } from '../../support/test-app.js';

const ADA = 'ada@example.com';

let app: MailApp;
afterEach(() => app.close());
const start = async (settings: SettingsInput = {}, options: TestAppOptions = {}) => {
  app = await createPasskeysApp({ auditLog: true, ...settings }, options);
};

const subjects = async () => {
  await app.mailCount();
  return app.sink.mails.map(({ subject }) => subject);
};
/** The events of users in the audit log, by name. */
const events = async () =>
  (
    await app.database.pool.query(
      'select event, details from auth_audit_event where user_id is not null order by event',
    )
  ).rows.map(({ event, details }) => [event, details]);

describe.each(['none', 'optional'] as const)('under EMAIL_VERIFICATION=%s', (emailVerification) => {
  const isConfirmed = emailVerification === 'none';

  test('a sign-up with a passkey creates a user without a password, who is signed in with both factors', async () => {
    await start({ emailVerification, mfaMode: 'required' });
    const names = { firstName: 'Ada', lastName: 'Lovelace' };
    const { answer, client, authenticator } = await signUpWithPasskey(app, { email: ' Ada@Example.com ', ...names });
    expect([answer.status, answer.body]).toEqual([201, { access: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/) }]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.cookie?.name).toBe('refresh_token');
    const user = await userWith(app, ADA);
    expect(user).toMatchObject({
      ...{ first_name: 'Ada', last_name: 'Lovelace', role: 0, is_active: true },
      ...{ password_hash: null, email_verified: isConfirmed },
    });
    expect(claimsOf(client.access)).toMatchObject({ sub: user.id, amr: ['swk', 'user', 'mfa'] });
    expect(await passkeyRows(app, user.id)).toMatchObject([
      {
        credential_id: authenticator.passkeys[0]?.id,
        user_handle: authenticator.passkeys[0]?.userHandle,
        proved_email: null,
      },
    ]);
    expect(authenticator.passkeys).toMatchObject([{ userName: ADA }]);
    const [passkey] = await app.auth.passkeys.list(user.id);
    expect(await events()).toMatchObject([
      ['passkey.added', { passkey: passkey?.id }],
      ['session.opened', {}],
      ['user.registered', { method: 'passkey' }],
    ]);
    const back = app.client();
    expect((await signIn(back, authenticator)).status).toBe(200);
    expect(claimsOf(back.access).sub).toBe(user.id);
    expect(await subjects()).toEqual(isConfirmed ? [] : ['Confirm your e-mail address']);
  });

  test('a taken address gets no options, and no user if it was taken meanwhile', async () => {
    await start({ emailVerification });
    const other = app.client();
    const credential = newAuthenticator().create(await signUpOptions(other, { email: ADA }));
    expect((await app.client().register(ADA)).status).toBe(201);
    const before = await rowsOf(app);
    expectProblem(await askOptions(other, { email: 'ADA@example.com' }), 409, 'email_already_registered');
    expectProblem(await sendSignUp(other, { email: ADA, credential }), 409, 'email_already_registered');
    expect([await rowsOf(app), other.access]).toEqual([before, '']);
    // The passkey is not lost: if the address is free again, the same response signs up.
    await app.database.pool.query('delete from app_user');
    expect((await sendSignUp(other, { email: ADA, credential })).status).toBe(201);
  });
});

describe('under EMAIL_VERIFICATION=mandatory', () => {
  const COOKIE = 'email_verification_access_token';
  const detail = { detail: 'Open the link in the mail that was sent to you.' };

  test('a sign-up with a passkey is no user before its link is opened, and can sign in then', async () => {
    await start({ emailVerification: 'mandatory' });
    const account = { email: ADA, firstName: 'Ada', lastName: 'Lovelace' };
    const { answer, authenticator } = await signUpWithPasskey(app, account);
    expect([answer.status, answer.body]).toEqual([201, detail]);
    expect(answer.headers.getSetCookie()).toEqual([
      expect.stringMatching(`^${COOKIE}=[\\w-]{43}; Max-Age=259200; Path=/auth; .*HttpOnly; SameSite=Lax`),
    ]);
    expect([await userWith(app, ADA), await app.liveSessions()]).toEqual([undefined, 0]);
    expectProblem(await signIn(app.client(), authenticator), 401, 'passkey_not_valid');
    expectProblem(await app.client().login(ADA, 'a password of nobody'), 401, 'incorrect_credentials');

    expect((await app.open(await app.linkTo(ADA))).status).toBe(200);
    const user = await userWith(app, ADA);
    expect(user).toMatchObject({
      ...{ first_name: 'Ada', last_name: 'Lovelace', role: 0, is_active: true },
      ...{ password_hash: null, email_verified: true },
    });
    expect(await passkeyRows(app, user.id)).toMatchObject([
      { credential_id: authenticator.passkeys[0]?.id, name: 'Passkey', counter: '0', proved_email: null },
    ]);
    const [passkey] = await app.auth.passkeys.list(user.id);
    expect(await events()).toEqual([
      ['email.verified', {}],
      ['passkey.added', { passkey: passkey?.id }],
      ['user.registered', { method: 'passkey' }],
    ]);
    const client = app.client();
    expect((await signIn(client, authenticator)).status).toBe(200);
    expect(claimsOf(client.access)).toMatchObject({ sub: user.id, email_verified: true });
    expect((await app.open(await app.linkTo(ADA))).status).toBe(200); // the link again
    expect(await passkeyRows(app, user.id)).toHaveLength(1);
    expect(await subjects()).toEqual(['Confirm your e-mail address']);
  });

  test('the link signs in the browser that signed up, with SESSION_ON_EMAIL_VERIFICATION', async () => {
    await start({ emailVerification: 'mandatory', sessionOnEmailVerification: true });
    const { answer } = await signUpWithPasskey(app, { email: ADA });
    const cookie = answer.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    const opened = await app.open(await app.linkTo(ADA), { headers: { cookie } });
    expect([opened.status, await app.liveSessions()]).toEqual([200, 1]);
    expect(opened.cookies.get('refresh_token')).toContain('HttpOnly');
    const foreign = { origin: 'https://foreign.example' };
    const refused = await app.client().send('POST', '/auth/passkeys/sign-up', {}, foreign);
    expectProblem(refused, 403, 'csrf_failed');
  });

  test('another link is mailed on request, with the same passkey', async () => {
    await start({ emailVerification: 'mandatory' });
    const { authenticator } = await signUpWithPasskey(app, { email: ADA });
    const first = await app.linkTo(ADA);
    await app.client().send('POST', '/auth/registration/verification/resend', { email: ADA });
    const second = await app.linkTo(ADA, 2);
    expect((await app.open(first)).status).toBe(400);
    expect((await app.open(second)).status).toBe(200);
    expect((await signIn(app.client(), authenticator)).status).toBe(200);
  });

  test('a taken address gets the same options and the same answer as a free one, and its owner a notice', async () => {
    await start({ emailVerification: 'mandatory' });
    await app.client().register(ADA);
    await app.open(await app.linkTo(ADA));
    const before = await rowsOf(app);
    const shapeOf = async (email: string) => {
      const options = await signUpOptions(app.client(), { email });
      const credential = newAuthenticator().create(options);
      const started = performance.now();
      const { status, body, headers } = await sendSignUp(app.client(), { email, credential });
      expect(performance.now() - started).toBeGreaterThanOrEqual(99);
      const cookies = headers.getSetCookie().map((cookie) => cookie.replace(/[\w-]{43}|Expires=[^;]+/g, '…'));
      const { challenge, user, ...rest } = options;
      return [rest, challenge.length, Object.keys(user), status, body, cookies];
    };
    const free = await shapeOf('grace@example.com');
    expect(await shapeOf(ADA)).toEqual(free);
    expect(free.slice(3, 5)).toEqual([201, detail]);
    const { rows } = await app.database.pool.query(
      'select email, key_hash is null as is_void, password_hash, completion from auth_pending_sign_up order by id',
    );
    const completion = { name: 'passkey', data: expect.objectContaining({ provedEmail: null }) };
    expect(rows).toEqual([
      { email: 'grace@example.com', is_void: false, password_hash: null, completion },
      { email: ADA, is_void: true, password_hash: null, completion },
    ]);
    expect((await app.mailsTo(ADA, 2)).map(({ subject }) => subject)).toEqual([
      'Confirm your e-mail address',
      'You already have an account',
    ]);
    const tables = (all: string) => all.split(' ').filter((_, at) => at !== 1); // without the used challenges
    expect(tables(await rowsOf(app))).toEqual(tables(before));
  });

  test('a taken address is refused without PREVENT_ENUMERATION, and already by the options', async () => {
    await start({ emailVerification: 'mandatory', preventEnumeration: false });
    const client = app.client();
    const credential = newAuthenticator().create(await signUpOptions(client, { email: ADA }));
    await app.client().register(ADA);
    await app.open(await app.linkTo(ADA));
    expectProblem(await askOptions(client, { email: ADA }), 409, 'email_already_registered');
    expectProblem(await sendSignUp(client, { email: ADA, credential }), 409, 'email_already_registered');
    expect((await app.database.pool.query('select 1 from auth_pending_sign_up')).rows).toEqual([]);
  });
});

describe('a response of the authenticator', () => {
  test('is good for its address and once, for five minutes', async () => {
    await start();
    const client = app.client();
    const credential = newAuthenticator().create(await signUpOptions(client, { email: ADA }));
    const before = await rowsOf(app);
    expectProblem(await sendSignUp(client, { email: 'eve@example.com', credential }), 400, 'passkey_not_valid');
    app.clock.advance(301);
    expectProblem(await sendSignUp(client, { email: ADA, credential }), 400, 'passkey_not_valid');
    expect(await rowsOf(app)).toBe(before);
    app.clock.advance(-2);
    expect((await sendSignUp(client, { email: ' ADA@example.com', credential })).status).toBe(201);
    await app.database.pool.query('delete from app_user');
    const after = await rowsOf(app);
    expectProblem(await sendSignUp(client, { email: ADA, credential }), 400, 'passkey_not_valid');
    expect(await rowsOf(app)).toBe(after);
  });

  test('under EMAIL_VERIFICATION=mandatory is good once as well', async () => {
    await start({ emailVerification: 'mandatory' });
    const { credential } = await signUpWithPasskey(app, { email: ADA });
    expectProblem(await sendSignUp(app.client(), { email: ADA, credential }), 400, 'passkey_not_valid');
    expect((await app.database.pool.query('select 1 from auth_pending_sign_up')).rows).toHaveLength(1);
    expect(await subjects()).toHaveLength(1);
  });

  test('to the options of another ceremony is not valid', async () => {
    await start();
    const { client } = await signUpWithPasskey(app, { email: ADA });
    const options = await client.send('POST', '/auth/passkeys/registration/options', {}, client.bearer);
    const credential = newAuthenticator().create(options.body);
    expectProblem(await sendSignUp(app.client(), { email: 'eve@example.com', credential }), 400, 'passkey_not_valid');
    expectProblem(await sendSignUp(app.client(), { email: ADA, credential }), 400, 'passkey_not_valid');
  });

  test.each([
    ['of a foreign page', { origin: 'https://foreign.example' }],
    ['without user verification', { isUserVerified: false }],
    ['for another domain', { rpId: 'foreign.example' }],
    ['of the wrong type', { type: 'webauthn.get' }],
  ])('%s is not valid, in any mode', async (_what, forged) => {
    for (const emailVerification of ['optional', 'mandatory'] as const) {
      await start({ emailVerification });
      const client = app.client();
      const credential = newAuthenticator().create(await signUpOptions(client, { email: ADA }), forged);
      expectProblem(await sendSignUp(client, { email: ADA, credential }), 400, 'passkey_not_valid');
      expect([await userWith(app, ADA), await subjects()]).toEqual([undefined, []]);
      if (emailVerification === 'optional') await app.close();
    }
  });
});

test('a passkey of a passkey-only user can be removed only when there is another way to sign in', async () => {
  await start({ emailVerification: 'optional' });
  const { client } = await signUpWithPasskey(app, { email: ADA });
  const [{ id }] = (await client.get('/auth/passkeys')).body;
  const refused = await client.send('DELETE', `/auth/passkeys/${id}`, undefined, client.bearer);
  expectProblem(refused, 409, 'last_sign_in_method');
  await addPasskey(client);
  expect((await client.send('DELETE', `/auth/passkeys/${id}`, undefined, client.bearer)).status).toBe(204);
});
