import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { magicLinkModule } from '../../../src/features/magic-link/index.js';
import { createSocialModule } from '../../../src/features/social/index.js';
import { startTestProvider, type TestProvider } from '../../../src/features/social/testing/index.js';
import type { SettingsInput } from '../../../src/index.js';
import { expectProblem } from '../../support/expect-problem.js';
import { mailedTo } from '../../support/magic-link-app.js';
import type { MailApp } from '../../support/mail-app.js';
import {
  addPasskey,
  createPasskeyOwner,
  createPasskeysApp,
  newAuthenticator,
  passkeyRows,
  rowsOf,
  sessionFor,
  signIn,
} from '../../support/passkeys-app.js';
import { createPerson } from '../../support/person.js';
import { claimsOf } from '../../support/race.js';
import { trusted } from '../../support/social-app.js';
import { PASSWORD, type TestClient } from '../../support/test-client.js';
import { enrol } from '../../support/totp-app.js';

const NEW = 'another sentence of some length';

let provider: TestProvider;
let app: MailApp;
beforeAll(async () => {
  provider = await startTestProvider();
});
afterEach(() => app.close());
afterAll(() => provider.close());

const remove = (client: TestClient, id: string) =>
  client.send('DELETE', `/auth/passkeys/${id}`, undefined, client.bearer);
const modules = () => [createSocialModule({ providers: [trusted(provider)] }), magicLinkModule] as never;

describe('the last way to sign in cannot be removed, and a passkey can if there is', () => {
  const start = async () => {
    app = await createPasskeysApp({}, { modules: modules(), auth: { routes: { passwordReset: false } } });
  };
  /** A user with a passkey, without a password and a confirmed address, signed in with it. */
  async function createUser(authenticator = newAuthenticator()) {
    const owner = await createPasskeyOwner(app, authenticator, { passwordHash: null, emailVerified: false });
    const client = app.client();
    expect((await signIn(client, authenticator)).status).toBe(200);
    return { ...owner, client };
  }

  test('nothing else: it is the last one', async () => {
    await start();
    const { client, passkey, id } = await createUser();
    const before = await rowsOf(app);
    expectProblem(await remove(client, passkey), 409, 'last_sign_in_method');
    expect(await rowsOf(app)).toBe(before);
    expect(await passkeyRows(app, id)).toHaveLength(1);
  });

  test.each<[string, string]>([
    ['a password', `update app_user set password_hash = 'x' where id = $1`],
    ['a confirmed address that a magic link reaches', 'update app_user set email_verified = true where id = $1'],
    [
      'an account of a provider',
      `insert into auth_social_account (id, user_id, provider, issuer, sub, connected_at, last_used_at)
        values (gen_random_uuid(), $1::uuid, 'test', 'https://issuer.example', $1::uuid::text, now(), now())`,
    ],
  ])('%s', async (_what, sql) => {
    await start();
    const { client, passkey, id } = await createUser();
    await app.database.pool.query(sql, [id]);
    expect((await remove(client, passkey)).status).toBe(204);
    expect(await passkeyRows(app, id)).toEqual([]);
  });

  test('another passkey, but not one that is disabled, and not an authenticator app', async () => {
    await start();
    const { client, passkey, id } = await createUser();
    const other = await addPasskey(client);
    await app.database.pool.query('update auth_passkey set disabled_at = now() where id = $1', [other.id]);
    await enrol(app, client, { revokeOthers: false });
    expectProblem(await remove(client, passkey), 409, 'last_sign_in_method');
    expect((await remove(client, other.id)).status).toBe(204);
    const third = await addPasskey(client);
    expect((await remove(client, passkey)).status).toBe(204);
    expect((await passkeyRows(app, id)).map((row) => row.id)).toEqual([third.id]);
  });

  test('a passkey: an account of a provider may go', async () => {
    await start();
    const { client, id } = await createUser();
    const sql = `insert into auth_social_account (id, user_id, provider, issuer, sub, connected_at, last_used_at)
      values (gen_random_uuid(), $1::uuid, 'test', 'https://issuer.example', $1::uuid::text, now(), now()) returning id`;
    const { rows } = await app.database.pool.query(sql, [id]);
    const path = `/auth/social/accounts/${rows[0].id}`;
    expect((await client.send('DELETE', path, undefined, client.bearer)).status).toBe(204);
  });

  test('a disabled passkey goes although nothing else is left', async () => {
    await start();
    const { client, passkey, id } = await createUser();
    await app.database.pool.query('update auth_passkey set disabled_at = now() where user_id = $1', [id]);
    expect((await remove(client, passkey)).status).toBe(204);
  });
});

describe('the owner of the mailbox takes an account back', () => {
  const start = async (emailVerification: 'none' | 'optional' = 'optional', more: SettingsInput = {}) => {
    app = await createPasskeysApp({ emailVerification, auditLog: true, ...more }, { modules: modules() });
  };
  const removals = async (user: string) => {
    const sql = `select details from auth_audit_event where user_id = $1 and event = 'passkey.removed'`;
    return (await app.database.pool.query(sql, [user])).rows.map(({ details }) => details.by);
  };
  const subjectsTo = (email: string) =>
    app.sink.mails.filter(({ to }) => [to].flat()[0]?.text === email).map(({ subject }) => subject);

  /** The link of the latest mail with a subject. */
  async function linkOf(email: string, subject: string): Promise<string> {
    for (;;) {
      const mail = app.sink.mails.findLast((each) => [each.to].flat()[0]?.text === email && each.subject === subject);
      const [link] = mail?.text?.match(/http:\/\/accounts\.test\/\S+/) ?? [];
      if (link) return link;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async function setPassword(email: string) {
    await app.client().send('POST', '/auth/password/reset', { email });
    const { cookies } = await app.open(await linkOf(email, 'Set a new password'));
    const cookie = cookies.get('password_reset_access_token')?.split(';')[0] ?? '';
    return app.client().send('POST', '/auth/password/reset/set-new', { newPassword: NEW }, { cookie });
  }
  const reset = async (email: string) => (await setPassword(email)).status;

  /** Changes the address to that of a thief, a minute after what was set up before. */
  async function changeAddress(session: TestClient) {
    app.clock.advance(60);
    const thief = 'thief@example.com';
    const body = { email: thief, password: PASSWORD };
    expect((await session.send('POST', '/auth/email/change', body, session.bearer)).status).toBe(202);
    expect((await app.open(await linkOf(thief, 'Confirm your new e-mail address'))).status).toBe(200);
    app.clock.advance(1);
  }

  /** A user with a passkey from before a change of the address, and one from after it. A thief may own both. */
  async function changedOwner(hasApp: boolean) {
    const person = await createPerson(app);
    const session = await sessionFor(app, person.id, ['pwd', 'otp', 'mfa']);
    const older = await addPasskey(session);
    if (hasApp) await enrol(app, session, { revokeOthers: false });
    await changeAddress(session);
    return { person, session, older, newer: await addPasskey(session) };
  }

  async function undo(email: string) {
    const opened = await app.open(await linkOf(email, 'Your e-mail address was changed'));
    const cookie = opened.cookies.get('email_undo_access_token')?.split(';')[0] ?? '';
    const done = await app.open(`${app.url}/auth/email/undo-form`, { method: 'POST', headers: { cookie } });
    expect(done.status).toBe(200);
  }

  test.each([
    ['an address that was not confirmed', 'optional', false],
    ['an address that a scanner has confirmed since', 'optional', true],
    ['an address that is not confirmed', 'none', true],
  ] as const)('by a password reset: the passkey of a stranger with %s goes', async (_what, mode, isConfirmed) => {
    await start(mode);
    const email = 'victim@example.com';
    const stranger = await app.signedUp(email);
    const { sub } = claimsOf(stranger.access);
    const { authenticator } = await addPasskey(stranger);
    await app.database.pool.query('update app_user set email_verified = $2 where id = $1', [sub, isConfirmed]);
    expect(await reset(email)).toBe(200);
    expect(await passkeyRows(app, sub)).toEqual([]);
    expect(await removals(sub)).toEqual(['mailbox-owner']);
    expect((await signIn(app.client(), authenticator)).status).toBe(401);
    expect((await app.client().login(email, NEW)).status).toBe(200);
  });

  test('by a password reset: a passkey of a confirmed address stays, and a mail says so', async () => {
    await start();
    const owner = await createPasskeyOwner(app);
    expect(await reset(owner.email)).toBe(200);
    expect(await passkeyRows(app, owner.id)).toHaveLength(1);
    expect(await removals(owner.id)).toEqual([]);
    await linkOf(owner.email, 'Set a new password');
    await app.mailsTo(owner.email, 4);
    expect(subjectsTo(owner.email)).toContain('Your passkeys still work');
    expect((await signIn(app.client(), owner.authenticator)).status).toBe(200);
  });

  test('by a password reset: the passkeys of a stranger who has changed to the address go', async () => {
    await start();
    const stranger = await createPasskeyOwner(app);
    const session = await sessionFor(app, stranger.id, ['pwd', 'mfa']);
    const email = 'victim@example.com';
    const body = { email, password: PASSWORD };
    expect((await session.send('POST', '/auth/email/change', body, session.bearer)).status).toBe(202);
    expect((await app.open(await linkOf(email, 'Confirm your new e-mail address'))).status).toBe(200);
    expect((await signIn(app.client(), stranger.authenticator)).status).toBe(200);
    expect(await reset(email)).toBe(200);
    expect(await passkeyRows(app, stranger.id)).toEqual([]);
    expect((await signIn(app.client(), stranger.authenticator)).status).toBe(401);
  });

  test('by a magic link: the passkey of a stranger who never confirmed the address goes', async () => {
    await start();
    const email = 'victim@example.com';
    const stranger = await app.signedUp(email);
    const { sub } = claimsOf(stranger.access);
    const { authenticator } = await addPasskey(stranger);
    await app.mailsTo(email, 2);
    const count = subjectsTo(email).length;
    const { body } = await app.client().send('POST', '/auth/magic-link', { email });
    const { code } = await mailedTo(app, email, count + 1);
    const answer = await app.client().send('POST', '/auth/magic-link/verify', { request: body.request, code });
    expect([answer.status, claimsOf(answer.body.access).sub]).toEqual([200, sub]);
    expect(await passkeyRows(app, sub)).toEqual([]);
    expect(await removals(sub)).toEqual(['mailbox-owner']);
    expect((await signIn(app.client(), authenticator)).status).toBe(401);
  });

  test.each([
    ['all passkeys go, and an authenticator app of the thief', 'optional', false, [], []],
    ['all passkeys go, and an older authenticator app stays', 'optional', true, [], ['totp']],
    [
      'a newer passkey goes, and older factors stay, if every user must have one',
      'required',
      false,
      ['older'],
      ['passkey', 'totp'],
    ],
  ] as const)('by the undo of a change: %s', async (_what, mfaMode, hasApp, passkeys, factors) => {
    await start('optional', { mfaMode });
    const { person, session, older, newer } = await changedOwner(hasApp);
    if (!hasApp) await enrol(app, session, { revokeOthers: false });
    await undo(person.email);

    const rows = await passkeyRows(app, person.id);
    const nameOf = (id: string) => (id === older.id ? 'older' : 'newer');
    expect(rows.map(({ id }) => nameOf(id))).toEqual(passkeys);
    const sql = 'select second_factors from auth_account where user_id = $1';
    const [{ second_factors: left }] = (await app.database.pool.query(sql, [person.id])).rows;
    expect(left.toSorted()).toEqual(factors);
    expect((await signIn(app.client(), newer.authenticator)).status).toBe(401);
    expect((await signIn(app.client(), older.authenticator)).status).toBe(passkeys.length > 0 ? 200 : 401);
  });

  test.each([
    ['a newer passkey stays if it has replaced the last second factor', false, 1, ['passkey']],
    ['a newer passkey goes if an authenticator app is left', true, 0, ['totp', 'recovery_code']],
  ])('by the undo of a change, if every user must have a second factor: %s', async (_what, hasApp, left, methods) => {
    await start('optional', { mfaMode: 'required' });
    const { person, session, older, newer } = await changedOwner(hasApp);
    expect((await remove(session, older.id)).status).toBe(204);
    await undo(person.email);

    expect((await passkeyRows(app, person.id)).map(({ id }) => id)).toEqual([newer.id].slice(0, left));
    const answer = await setPassword(person.email);
    const { code, methods: asked } = answer.body;
    expect([answer.status, code, asked]).toEqual([401, 'second_factor_required', methods]);
    await app.mailCount();
    // Once, for the new password, and not for the undo.
    const kept = subjectsTo(person.email).filter((subject) => subject === 'Your passkeys still work');
    expect(kept).toHaveLength(left);
  });

  test('a new passkey voids mailed links, such as one to another address', async () => {
    await start();
    const person = await createPerson(app);
    const session = await sessionFor(app, person.id);
    const body = { email: 'next@example.com', password: PASSWORD };
    await session.send('POST', '/auth/email/change', body, session.bearer);
    const link = await linkOf('next@example.com', 'Confirm your new e-mail address');
    await addPasskey(session);
    expect((await app.open(link)).status).toBe(400);
  });
});
