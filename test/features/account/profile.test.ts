import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { expectProblem } from '../../support/expect-problem.js';
import { createTestApp, type TestApp } from '../../support/test-app.js';
import { type Answer, PASSWORD, type TestClient } from '../../support/test-client.js';
import { BigintUser, IntegerUser } from '../../support/users.js';

describe('the profile', () => {
  let app: TestApp;
  let client: TestClient;
  beforeAll(async () => {
    app = await createTestApp();
  });
  beforeEach(async () => {
    await app.database.pool.query('delete from app_user');
    client = app.client();
    await client.register('Ada@Example.com', PASSWORD, { firstName: 'Ada', lastName: 'Lovelace' });
  });
  afterAll(() => app.close());

  const patch = (body: unknown, who = client): Promise<Answer> => who.send('PATCH', '/auth/user', body, who.bearer);
  const users = async () => (await app.database.pool.query('select * from app_user order by email')).rows;
  const profile = (more: object = {}) => ({
    id: app.auth.tokens.verifyAccess(client.access).sub,
    email: 'ada@example.com',
    firstName: 'Ada',
    lastName: 'Lovelace',
    role: 0,
    emailVerified: true,
    ...more,
  });

  test('is shown to its user, without any other field', async () => {
    const answer = await client.get('/auth/user');
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(profile());
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(answer.headers.getSetCookie()).toEqual([]);
  });

  test('shows the current values in the database, not those in the token', async () => {
    await app.database.pool.query(`update app_user set role = 900, email_verified = false, first_name = 'A.'`);
    const answer = await client.get('/auth/user');
    expect(answer.body).toEqual(profile({ role: 900, emailVerified: false, firstName: 'A.' }));
  });

  test.each([
    ['both names', { firstName: 'Augusta Ada', lastName: 'King' }],
    ['the first name only', { firstName: 'Augusta' }],
    ['the last name only', { lastName: '金' }],
    ['an empty name', { firstName: '' }],
    ['names of 150 characters', { firstName: 'x'.repeat(150), lastName: 'é'.repeat(150) }],
  ])('changes by %s, and its other fields stay', async (_what, changes) => {
    const stranger = await app.signedUp('grace@example.com');
    const [before, strangerBefore] = await users();
    const answer = await patch(changes);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(profile(changes));
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect((await client.get('/auth/user')).body).toEqual(profile(changes));
    const { firstName, lastName } = profile(changes);
    expect(await users()).toEqual([{ ...before, first_name: firstName, last_name: lastName }, strangerBefore]);
    expect((await stranger.get('/auth/user')).body).toMatchObject({ firstName: '', lastName: '' });
  });

  test.each([
    ['an empty object', {}],
    ['no body', undefined],
  ])('stays unchanged with %s', async (_what, body) => {
    const before = await users();
    expect(await patch(body)).toMatchObject({ status: 200, body: profile() });
    expect(await users()).toEqual(before);
  });

  test.each<[string, unknown, string]>([
    ['null', { firstName: null }, 'firstName'],
    ['a number', { lastName: 7 }, 'lastName'],
    ['an object', { firstName: { $ne: '' } }, 'firstName'],
    ['an array', { firstName: ['Ada'] }, 'firstName'],
    ['a name that is too long', { firstName: 'x'.repeat(151) }, 'firstName'],
    ['a control character', { lastName: 'Love\u0000lace' }, 'lastName'],
    ['an e-mail address', { email: 'eve@example.com' }, 'email'],
    ['a role', { firstName: 'Eve', role: 1000 }, 'role'],
    ['a key', { id: '00000000-0000-4000-8000-000000000000' }, 'id'],
    ['a verified address', { emailVerified: true }, 'emailVerified'],
    ['a password hash', { passwordHash: 'x' }, 'passwordHash'],
    ['an array for an object', [{ firstName: 'Eve' }], ''],
  ])('is not changed by %s', async (_what, body, field) => {
    const before = await users();
    const answer = await patch(body);
    expectProblem(answer, 400, 'validation_failed');
    expect(answer.body.errors).toEqual([{ field, messages: expect.any(Array) }]);
    expect(await users()).toEqual(before);
  });

  test.each([
    ['deactivated', 'update app_user set is_active = false'],
    ['deleted', 'delete from app_user'],
  ])('of a user who was %s is neither shown nor changed', async (_how, statement) => {
    await app.database.pool.query(statement);
    const before = await users();
    for (const answer of [await client.get('/auth/user'), await patch({ firstName: 'Eve' })]) {
      expectProblem(answer, 401, 'token_not_valid');
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer error="invalid_token"/);
    }
    expect(await users()).toEqual(before);
  });

  test('requires an access token: the cookie is not accepted', async () => {
    for (const method of ['GET', 'PATCH']) {
      const answer = await client.send(method, '/auth/user', undefined, client.cookieHeader);
      expectProblem(answer, 401, 'not_authenticated');
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    }
  });

  test('keeps both of two changes of different names at the same moment', async () => {
    const answers = await Promise.all([patch({ firstName: 'Augusta' }), patch({ lastName: 'King' })]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect((await client.get('/auth/user')).body).toEqual(profile({ firstName: 'Augusta', lastName: 'King' }));
  });
});

test.each([
  ['integer', IntegerUser],
  ['bigint', BigintUser],
])('the id of a user with an %s key is a string', async (_type, user) => {
  const app = await createTestApp({ user });
  const client = await app.signedUp('ada@example.com');
  const answer = await client.get('/auth/user');
  expect(answer).toMatchObject({ status: 200, body: { id: '1', email: 'ada@example.com' } });
  const changed = await client.send('PATCH', '/auth/user', { firstName: 'Ada' }, client.bearer);
  expect(changed).toMatchObject({ status: 200, body: { id: '1', firstName: 'Ada', lastName: '' } });
  await app.close();
});
