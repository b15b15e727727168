import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { expectProblem } from '../../support/expect-problem.js';
import { createTestApp, type TestApp } from '../../support/test-app.js';
import { PASSWORD, type TestClient } from '../../support/test-client.js';

const NEXT = 'another sentence to sign in with';
const WRONG = 'not the sentence that was chosen';
const ADA = 'ada@example.com';

const sessionOf = (app: TestApp, { access }: TestClient) => app.auth.tokens.verifyAccess(access).session;
const enabledSessions = async (app: TestApp) =>
  (await app.sessions()).filter(({ enabled }) => enabled).map(({ id }) => id);
const users = async (app: TestApp) => (await app.database.pool.query('select * from app_user order by email')).rows;
/** The state that a refused change must not alter. */
const state = async (app: TestApp) => ({ users: await users(app), sessions: await app.sessions() });

describe('a password change', () => {
  let app: TestApp;
  let client: TestClient;
  beforeAll(async () => {
    app = await createTestApp();
  });
  beforeEach(async () => {
    await app.database.pool.query('delete from app_user');
    client = await app.signedUp(ADA);
  });
  afterAll(() => app.close());

  test('opens a new session, ends every older one, and affects no other user', async () => {
    const others = [app.client(), app.client()];
    for (const other of others) await other.login(ADA);
    const stranger = await app.signedUp('grace@example.com');
    const [before, strangerBefore] = await users(app);
    const older = client.copy();

    const answer = await client.changePassword(PASSWORD, NEXT);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ access: client.access });
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.getSetCookie()).toHaveLength(1);
    expect(answer.cookie).toMatchObject({ name: 'refresh_token', value: client.refreshToken });
    expect(sessionOf(app, client)).not.toBe(sessionOf(app, older));
    expect((await enabledSessions(app)).sort()).toEqual([sessionOf(app, client), sessionOf(app, stranger)].sort());

    for (const ended of [older, ...others]) expectProblem(await ended.refresh(), 401, 'token_not_valid');
    expect((await client.refresh()).status).toBe(200);
    expect((await stranger.refresh()).status).toBe(200);
    const [after, strangerAfter] = await users(app);
    expect(after).toEqual({ ...before, password_hash: expect.stringMatching(/^\$argon2id\$/) });
    expect(after.password_hash).not.toBe(before.password_hash);
    expect(strangerAfter).toEqual(strangerBefore);

    expectProblem(await app.client().login(ADA), 401, 'incorrect_credentials');
    expect((await app.client().login(ADA, NEXT)).status).toBe(200);
    expect((await app.client().login('grace@example.com')).status).toBe(200);
  });

  test('can be followed by another one with the new access token', async () => {
    expect((await client.changePassword(PASSWORD, NEXT)).status).toBe(200);
    expect((await client.changePassword(NEXT, PASSWORD)).status).toBe(200);
    expect((await client.refresh()).status).toBe(200);
    expect(await enabledSessions(app)).toEqual([sessionOf(app, client)]);
  });

  test.each([
    ['a wrong one', { oldPassword: WRONG }],
    ['the new one', { oldPassword: NEXT }],
    ['an empty one', { oldPassword: '' }],
  ])('with %s instead of the old password changes nothing', async (_what, old) => {
    const before = await state(app);
    const body = { ...old, newPassword: NEXT };
    const answer = await client.send('POST', '/auth/password/change', body, client.bearer);
    expectProblem(answer, 401, 'incorrect_credentials');
    expect(answer.cookie).toBeUndefined();
    expect(await state(app)).toEqual(before);
    expect((await client.refresh()).status).toBe(200);
  });

  test('without the old password names the missing field, together with the other faults', async () => {
    const before = await state(app);
    const send = (body: object) => client.send('POST', '/auth/password/change', body, client.bearer);
    const missing = { field: 'oldPassword', messages: ['must be a string'] };
    const other = { field: 'newPassword', messages: [expect.any(String)] };
    const answers = [await send({ newPassword: NEXT }), await send({ newPassword: 'short77' }), await send({})];
    for (const answer of answers) expectProblem(answer, 400, 'validation_failed');
    expect(answers.map(({ body }) => body.errors)).toEqual([[missing], [missing, other], expect.any(Array)]);
    expect(answers[2]?.body.errors).toEqual(expect.arrayContaining([missing, other]));
    expect(await state(app)).toEqual(before);
  });

  test.each([
    ['too short', 'short77'],
    ['too long', 'x'.repeat(129)],
    ['the e-mail address in capitals', 'ADA@EXAMPLE.COM'],
    ['among the most common', 'Password1'],
    ['not a string', 12_345_678],
    ['null', null],
    ['missing', undefined],
  ])('to a password that is %s is refused', async (_what, newPassword) => {
    const before = await state(app);
    const body = { oldPassword: PASSWORD, newPassword };
    const answer = await client.send('POST', '/auth/password/change', body, client.bearer);
    expectProblem(answer, 400, 'validation_failed');
    expect(answer.body.errors).toEqual([{ field: 'newPassword', messages: [expect.any(String)] }]);
    expect(await state(app)).toEqual(before);
  });

  test('with an unknown field is refused', async () => {
    const before = await state(app);
    const body = { oldPassword: PASSWORD, newPassword: NEXT, email: ADA };
    const answer = await client.send('POST', '/auth/password/change', body, client.bearer);
    expectProblem(answer, 400, 'validation_failed');
    expect(answer.body.errors).toEqual([{ field: 'email', messages: ['is not a known field'] }]);
    expect(await state(app)).toEqual(before);
  });

  test('requires an access token: the cookie is not enough', async () => {
    const before = await state(app);
    const body = { oldPassword: PASSWORD, newPassword: NEXT };
    const answer = await client.send('POST', '/auth/password/change', body, client.cookieHeader);
    expectProblem(answer, 401, 'not_authenticated');
    expect(await state(app)).toEqual(before);
  });

  test.each(['logout', 'logoutAll'] as const)('from a session that ended with %s changes nothing', async (way) => {
    await client[way]();
    const other = app.client();
    await other.login(ADA);
    const before = await state(app);
    expectProblem(await client.changePassword(PASSWORD, NEXT), 401, 'token_not_valid');
    expect(await state(app)).toEqual(before);
    expect((await other.refresh()).status).toBe(200);
  });

  test('from a session that another change ended changes nothing', async () => {
    const older = client.copy();
    await client.changePassword(PASSWORD, NEXT);
    const before = await state(app);
    expectProblem(await older.changePassword(NEXT, WRONG), 401, 'token_not_valid');
    expect(await state(app)).toEqual(before);
  });

  test.each([
    ['deactivated', 'update app_user set is_active = false'],
    ['deleted', 'delete from app_user'],
  ])('of a user who was %s changes nothing', async (_how, statement) => {
    await app.database.pool.query(statement);
    const before = await state(app);
    expectProblem(await client.changePassword(PASSWORD, NEXT), 401, 'token_not_valid');
    expectProblem(await client.changePassword(WRONG, NEXT), 401, 'token_not_valid');
    expect(await state(app)).toEqual(before);
  });

  test('two changes at the same moment with one old password: exactly one succeeds', async () => {
    const tabs = [client.copy(), client.copy()];
    const passwords = ['the first of two new sentences', 'the second of two new sentences'];
    const answers = await Promise.all(tabs.map((tab, index) => tab.changePassword(PASSWORD, passwords[index] ?? '')));
    const winner = answers.findIndex(({ status }) => status === 200);
    const [lost] = answers.filter((_, index) => index !== winner) as [(typeof answers)[0]];
    expect(winner).not.toBe(-1);
    const codes = ['incorrect_credentials', 'token_not_valid']; // whichever it checks first
    expectProblem(lost, 401, codes.find((code) => code === lost.body.code) ?? 'one of these');
    expect(await enabledSessions(app)).toEqual([sessionOf(app, tabs[winner] as TestClient)]);
    expect((await tabs[winner]?.refresh())?.status).toBe(200);
    expect((await app.client().login(ADA, passwords[winner])).status).toBe(200);
    expect((await app.client().login(ADA, passwords[1 - winner])).status).toBe(401);
  });

  test('no login and no refresh in parallel survives with the old password', async () => {
    const logins = Array.from({ length: 6 }, () => app.client());
    const tab = client.copy();
    const [changed] = await Promise.all([
      client.changePassword(PASSWORD, NEXT),
      tab.refresh(),
      ...logins.map((login) => login.login(ADA)),
    ]);
    expect(changed.status).toBe(200);
    expect(await enabledSessions(app)).toEqual([sessionOf(app, client)]);
    expectProblem(await tab.refresh(), 401, 'token_not_valid');
  });
});

describe('a password change with LOGOUT_ON_PASSWORD_CHANGE=false', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ settings: { logoutOnPasswordChange: false } });
  });
  afterAll(() => app.close());

  test('keeps the other sessions and replaces the caller’s own', async () => {
    const client = await app.signedUp(ADA);
    const other = app.client();
    await other.login(ADA);
    const older = client.copy();
    expect((await client.changePassword(PASSWORD, NEXT)).status).toBe(200);
    expect((await enabledSessions(app)).sort()).toEqual([sessionOf(app, client), sessionOf(app, other)].sort());
    expect((await other.refresh()).status).toBe(200);
    expect((await client.refresh()).status).toBe(200);
    expectProblem(await older.refresh(), 401, 'token_not_valid');
    expectProblem(await app.client().login(ADA), 401, 'incorrect_credentials');
    expectProblem(await older.changePassword(NEXT, WRONG), 401, 'token_not_valid');
    expect((await app.client().login(ADA, NEXT)).status).toBe(200);
  });
});

describe('a password change with OLD_PASSWORD_FIELD_ENABLED=false', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ settings: { oldPasswordFieldEnabled: false, loginRateLimit: '1/15m/account' } });
  });
  afterAll(() => app.close());

  test.each([
    ['none', {}],
    ['a wrong one', { oldPassword: WRONG }],
    ['an empty one', { oldPassword: '' }],
  ])('accepts %s as the old password', async (what, old) => {
    const email = `${what.replaceAll(' ', '-')}@example.com`;
    const client = await app.signedUp(email);
    for (const newPassword of [WRONG, NEXT]) {
      const body = { ...old, newPassword };
      const answer = await client.send('POST', '/auth/password/change', body, client.bearer);
      expect(answer.status).toBe(200);
      client.access = answer.body.access;
    }
    expect((await app.client().login(email, NEXT)).status).toBe(200);
    expectProblem(await app.client().login(email), 401, 'incorrect_credentials');
  });

  test('still requires a live session', async () => {
    const client = await app.signedUp('ended@example.com');
    await client.logout();
    const before = await state(app);
    expectProblem(await client.changePassword('', NEXT), 401, 'token_not_valid');
    expect(await state(app)).toEqual(before);
  });
});
