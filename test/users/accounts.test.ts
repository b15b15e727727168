import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { type ForUserOptions, RefreshToken } from '../../src/index.js';
import { expectProblem } from '../support/expect-problem.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { race } from '../support/race.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';
import type { AppUser } from '../support/users.js';

const ADA = 'ada@example.com';
const EVE = 'eve@example.com';
const NEW = 'tiger lamp cloud river';

interface Gate {
  readonly reached: () => void;
  readonly opened: Promise<void>;
}
let gate: Gate | undefined;

/** Pauses the next sign-in after it has read the user, and continues it after `meanwhile`. */
async function hold<T>(signIn: () => Promise<T>, meanwhile: () => Promise<unknown>): Promise<T> {
  const [reached, opened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  gate = { reached: reached.resolve, opened: opened.promise };
  const held = signIn();
  await reached.promise;
  await meanwhile();
  opened.resolve();
  return held;
}

class GatedToken extends RefreshToken {
  static override async forUser(user: AppUser, options?: ForUserOptions) {
    const own = gate;
    gate = undefined;
    own?.reached();
    await own?.opened;
    return super.forUser(user, options);
  }
}

let app: MailApp;
afterEach(() => app.close());

/** The error of some work. */
const refusal = (work: () => Promise<unknown>) =>
  work().then(
    () => undefined,
    (error: unknown) => error,
  );
const query = async (sql: string, values: unknown[] = []) => (await app.database.pool.query(sql, values)).rows;
const idOf = async (email: string) => (await query('select id from app_user where email = $1', [email]))[0].id;
const accountOf = async (email: string) =>
  (await query('select state, credential_epoch as epoch from auth_account where user_id = $1', [await idOf(email)]))[0];
const open = async (email: string) => app.auth.sessions.open({ id: await idOf(email), passwordHash: undefined });

/** Extracts the link of the mail with a subject. */
async function follow(email: string, subject: string) {
  const mails = await app.mailsTo(email);
  const found = mails.findLast((mail) => mail.subject === subject) ?? (await app.mailsTo(email, 2)).at(-1);
  return app.open(/http:\S+/.exec(found?.text ?? '')?.[0] ?? '');
}

const cookieOf = (answer: { cookies: ReadonlyMap<string, string> }) =>
  [...answer.cookies.values()].find((cookie) => !/=;/.test(cookie))?.split(';')[0] ?? '';

/** An app with Ada, who has a password, and Eve, who is invited. */
async function start(): Promise<{ ada: TestClient }> {
  app = await createMailApp({ emailVerification: 'optional', invitations: true, refreshToken: GatedToken });
  const staff = await app.signedUp('staff@example.com');
  await query('update app_user set role = 1000');
  await staff.refresh();
  const invitation = { email: EVE, role: 0 };
  expect((await staff.send('POST', '/auth/registration/user-register', invitation, staff.bearer)).status).toBe(201);
  await app.mailsTo(EVE);
  return { ada: await app.signedUp(ADA) };
}

async function resetPassword(): Promise<void> {
  await app.client().send('POST', '/auth/password/reset', { email: ADA });
  const cookie = cookieOf(await app.open(await app.linkTo(ADA, 2)));
  const answer = await app.client().send('POST', '/auth/password/reset/set-new', { newPassword: NEW }, { cookie });
  expect(answer.status).toBe(200);
}

async function acceptInvitation(): Promise<void> {
  const cookie = cookieOf(await follow(EVE, 'You are invited'));
  const body = { newPassword: PASSWORD };
  expect((await app.client().send('POST', '/auth/registration/set-password', body, { cookie })).status).toBe(200);
}

/** Changes the address with one link, and back with the other one. */
async function undoChange(ada: TestClient): Promise<void> {
  await follow(ADA, 'Confirm your e-mail address');
  const change = { email: 'thief@example.com', password: PASSWORD };
  expect((await ada.send('POST', '/auth/email/change', change, ada.bearer)).status).toBe(202);
  await app.open(await app.linkTo('thief@example.com'));
  const mail = (await app.mailsTo(ADA, 3)).find(({ text }) => text?.includes('/email/undo/'));
  const cookie = cookieOf(await app.open(/http:\S+/.exec(mail?.text ?? '')?.[0] ?? ''));
  const form = `${app.url}/auth/email/undo-form`;
  expect((await app.open(form, { method: 'POST', headers: { cookie } })).status).toBe(200);
}

async function deactivateForAWhile(email: string): Promise<void> {
  await app.auth.deactivation.deactivate(await idOf(email));
  await query('update app_user set is_active = true where email = $1', [email]);
}

describe('a sign-in that has already read the account opens no session after', () => {
  test.each<[change: string, email: string, make: (ada: TestClient) => Promise<unknown>, changes?: number]>([
    ['a change of the password', ADA, (ada) => ada.changePassword(PASSWORD, NEW)],
    ['a reset of the password', ADA, resetPassword],
    ['the undo of a changed address', ADA, undoChange, 2], // the change, and its undo
    ['an accepted invitation', EVE, acceptInvitation],
    ['a deactivation, though the app has activated the user again', ADA, () => deactivateForAWhile(ADA)],
  ])('%s', async (_change, email, make, changes = 1) => {
    const { ada } = await start();
    const before = (await accountOf(email)).epoch;
    const rows = async () => query('select id from auth_session where user_id = $1 order by id', [await idOf(email)]);
    let sessions: unknown;
    const signIn = () => refusal(() => open(email));
    const refused = await hold(signIn, async () => {
      await make(ada);
      sessions = await rows();
    });
    expect(refused).toMatchObject({ code: 'incorrect_credentials' });
    expect(await rows()).toEqual(sessions);
    expect(await accountOf(email)).toEqual({ state: 'in_use', epoch: before + changes });
    await open(email); // a later sign-in works
  });

  test('a deactivation between the password check and the session is detected, over HTTP', async () => {
    await start();
    const client = app.client();
    const login = () => client.login(ADA);
    const refused = await hold(login, () => deactivateForAWhile(ADA));
    expectProblem(refused, 401, 'incorrect_credentials');
    expect(refused.cookie).toBeUndefined();
    expect((await client.login(ADA)).status).toBe(200);
  });

  test('a change since the epoch that the app has checked is detected', async () => {
    const { ada } = await start();
    expect((await ada.changePassword(PASSWORD, NEW)).status).toBe(200);
    const id = await idOf(ADA);
    const late = await refusal(() => app.auth.sessions.open({ id, passwordHash: undefined, credentialEpoch: 0 }));
    expect(late).toMatchObject({ code: 'incorrect_credentials' });
    await app.auth.sessions.open({ id, passwordHash: undefined, credentialEpoch: 1 });
    expect(await app.liveSessions()).toBe(3); // staff, the changed one, and this
  });
});

describe('one statement notices a change that it had to wait for', () => {
  const change = (ada: TestClient) => ada.changePassword(PASSWORD, NEW);

  test.each([
    ['where the account has a row', () => open(ADA)],
    ['where it has none', async () => query('delete from auth_account where user_id = $1', [await idOf(ADA)])],
  ])('%s', async (_where, prepare) => {
    const { ada } = await start();
    await prepare();
    const row = { table: 'app_user', id: await idOf(ADA) };
    const id = row.id as string;
    const signIn = () => refusal(() => app.auth.sessions.open({ id, passwordHash: undefined, credentialEpoch: 0 }));
    const [changed, refused] = await race(app, row, () => change(ada), signIn);
    expect([changed.status, refused]).toMatchObject([200, { code: 'incorrect_credentials' }]);
    expect(await accountOf(ADA)).toEqual({ state: 'in_use', epoch: 1 });
    expect((await query('select 1 from auth_session where user_id = $1 and enabled', [id])).length).toBe(1);
  });

  test('two sign-ins of an invited user at the same moment both succeed', async () => {
    await start();
    const id = await idOf(EVE);
    expect(await accountOf(EVE)).toEqual({ state: 'invited', epoch: 0 });
    await race(
      app,
      { table: 'app_user', id },
      () => open(EVE),
      () => open(EVE),
    );
    expect(await accountOf(EVE)).toEqual({ state: 'in_use', epoch: 0 });
    expect(await query('select count(*)::int as live from auth_session where user_id = $1', [id])).toEqual([
      { live: 2 },
    ]);
  });
});

test('a user whom the app has inserted is in use, with epoch 0, and gets a row at the first sign-in', async () => {
  await start();
  const id = randomUUID();
  await query("insert into app_user (id, email, permissions) values ($1, 'own@example.com', '[]')", [id]);
  expect(await accountOf('own@example.com')).toBeUndefined();
  await open('own@example.com');
  expect(await accountOf('own@example.com')).toEqual({ state: 'in_use', epoch: 0 });
  await query('delete from app_user where id = $1', [id]);
  expect(await query('select 1 from auth_account where user_id = $1', [id])).toEqual([]);
});

test('neither a sign-in nor a refresh raises the epoch, and a refresh does not read the table', async () => {
  const { ada } = await start();
  await query('alter table auth_account rename to away');
  expect((await ada.refresh()).status).toBe(200);
  await query('alter table away rename to auth_account');
  for (let login = 0; login < 3; login++) expect((await ada.login(ADA)).status).toBe(200);
  expect(await accountOf(ADA)).toEqual({ state: 'in_use', epoch: 0 });
});

test('an expired invitation allows no reset and no confirmation, even after a purge', async () => {
  await start();
  app.clock.advance('8d');
  await app.auth.purge.run({ pause: async () => {} });
  for (const path of ['/auth/password/reset', '/auth/registration/verification/resend'])
    expect((await app.client().send('POST', path, { email: EVE })).status).toBe(202);
  await app.mailCount(); // when all work after the answers is done
  const mailed = app.sink.mails.filter(({ to }) => [to].flat()[0]?.text === EVE);
  expect(mailed.map(({ subject }) => subject)).toEqual(['You are invited']);
});

test('an expired invitation releases its address even after a purge', async () => {
  await start();
  const id = await idOf(EVE);
  app.clock.advance('8d');
  await app.auth.purge.run({ pause: async () => {} });
  expect(await query("select 1 from auth_one_time_key where purpose = 'invitation'")).toEqual([]);
  expect(await accountOf(EVE)).toEqual({ state: 'invited', epoch: 0 });
  expect((await app.client().register(EVE)).status).toBe(201);
  expect(await idOf(EVE)).not.toBe(id);
  expect(await accountOf(EVE)).toEqual({ state: 'in_use', epoch: 0 });
});
