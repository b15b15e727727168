import { afterEach, beforeEach, expect, test } from 'vitest';
import { expectProblem } from '../../support/expect-problem.js';
import { createTestApp, type TestApp } from '../../support/test-app.js';
import { PASSWORD } from '../../support/test-client.js';

let app: TestApp;
beforeEach(async () => {
  app = await createTestApp({ settings: { accessTokenSessionCheck: 'database' } });
});
afterEach(() => app.close());

const remove = (client: ReturnType<TestApp['client']>, password = PASSWORD) =>
  client.send('DELETE', '/auth/user', { password }, client.bearer);
const count = async (table: string) =>
  Number((await app.database.pool.query(`select count(*) from ${table}`)).rows[0].count);

test('the password deletes an account and its sessions', async () => {
  const ada = await app.signedUp('ada@example.com');
  const bob = await app.signedUp('bob@example.com');
  const reasons: string[] = [];
  app.auth.events.on('session.revoked', ({ reason }) => reasons.push(reason));
  const answer = await remove(ada);
  expect([answer.status, answer.body, answer.cookie?.value]).toEqual([204, '', '']);
  expect([await count('app_user'), await count('auth_session'), reasons]).toEqual([1, 1, ['deletion']]);
  expectProblem(await ada.get('/auth/user'), 401, 'token_not_valid');
  expectProblem(await ada.refresh(), 401, 'token_not_valid');
  expectProblem(await app.client().login('ada@example.com'), 401, 'incorrect_credentials');
  expect((await bob.get('/auth/user')).status).toBe(200);
  expect((await app.client().register('ada@example.com')).status).toBe(201);
});

test('a wrong password deletes nothing', async () => {
  const ada = await app.signedUp('ada@example.com');
  expectProblem(await remove(ada, 'a wrong password'), 401, 'incorrect_credentials');
  expect([await count('app_user'), await count('auth_session')]).toEqual([1, 1]);
});

test('of two deletions at the same moment one succeeds, and the other finds no user', async () => {
  const ada = await app.signedUp('ada@example.com');
  const answers = await Promise.all([remove(ada), remove(ada)]);
  expect(answers.map(({ status }) => status).sort()).toEqual([204, 401]);
  expect(await count('app_user')).toBe(0);
});
