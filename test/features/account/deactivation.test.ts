import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { expectProblem } from '../../support/expect-problem.js';
import { createTestApp, type TestApp } from '../../support/test-app.js';
import type { TestClient } from '../../support/test-client.js';

const ADA = 'ada@example.com';

describe('deactivation', () => {
  let app: TestApp;
  let clients: TestClient[];
  let stranger: TestClient;
  let id: string;
  beforeAll(async () => {
    app = await createTestApp();
  });
  beforeEach(async () => {
    await app.database.pool.query('delete from app_user');
    clients = [await app.signedUp(ADA), app.client(), app.client()];
    for (const client of clients.slice(1)) await client.login(ADA);
    stranger = await app.signedUp('grace@example.com');
    id = app.auth.tokens.verifyAccess(clients[0]?.access ?? '').sub;
  });
  afterAll(() => app.close());

  const setActive = (isActive: boolean) =>
    app.database.pool.query('update app_user set is_active = $1 where id = $2', [isActive, id]);
  const enabledSessions = async () => (await app.sessions()).filter(({ enabled }) => enabled).map(({ id }) => id);
  const strangersSession = () => app.auth.tokens.verifyAccess(stranger.access).session;
  const usersExcept = async (email: string) =>
    (await app.database.pool.query('select * from app_user where email <> $1', [email])).rows;

  test('through the service ends every session at once, and affects no other user', async () => {
    const others = await usersExcept(ADA);
    await app.auth.deactivation.deactivate(id);
    expect(await enabledSessions()).toEqual([strangersSession()]);
    const { rows } = await app.database.pool.query('select is_active from app_user where id = $1', [id]);
    expect(rows).toEqual([{ is_active: false }]);
    for (const client of clients) expectProblem(await client.refresh(), 401, 'token_not_valid');
    expectProblem(await app.client().login(ADA), 401, 'no_active_account');
    expect(await usersExcept(ADA)).toEqual(others);
    expect((await stranger.refresh()).status).toBe(200);
    expect(await enabledSessions()).toEqual([strangersSession()]);
  });

  test('through the service can be repeated, and is no error for an unknown user', async () => {
    await app.auth.deactivation.deactivate(id);
    await app.auth.deactivation.deactivate(id);
    await app.auth.deactivation.deactivate('00000000-0000-4000-8000-000000000000');
    expect(await enabledSessions()).toEqual([strangersSession()]);
  });

  test('through the service leaves no session of logins and refreshes that run in parallel', async () => {
    const logins = Array.from({ length: 6 }, () => app.client());
    const answering = [...logins.map((client) => client.login(ADA)), ...clients.map((client) => client.refresh())];
    await app.auth.deactivation.deactivate(id);
    expect(await enabledSessions()).toEqual([strangersSession()]);
    for (const { status, body } of await Promise.all(answering)) {
      if (status !== 200) expect(body.code).toMatch(/^(token_not_valid|no_active_account|incorrect_credentials)$/);
    }
    expect(await enabledSessions()).toEqual([strangersSession()]);
    for (const client of [...logins, ...clients]) expect((await client.refresh()).status).not.toBe(200);
  });

  test('by plain SQL takes effect at the next refresh, which ends every session of the user', async () => {
    await setActive(false);
    const before = await app.sessions();
    const answer = await clients[1]?.refresh();
    if (answer) expectProblem(answer, 401, 'token_not_valid');
    expect(answer?.headers.get('www-authenticate')).toBe('Bearer');
    const after = await app.sessions();
    expect(after).toEqual(before.map((row) => (row.user_id === id ? { ...row, enabled: false } : row)));
    expect(await enabledSessions()).toEqual([strangersSession()]);
    for (const client of clients) expectProblem(await client.refresh(), 401, 'token_not_valid');
    expect((await stranger.refresh()).status).toBe(200);
  });

  test('by plain SQL also takes effect when the parent token is retried after a lost answer', async () => {
    const tab = clients[0]?.copy();
    expect((await clients[0]?.refresh())?.status).toBe(200);
    await setActive(false);
    expect((await tab?.refresh())?.body.code).toBe('token_not_valid');
    expect(await enabledSessions()).toEqual([strangersSession()]);
  });

  test.each([
    ['the service', () => app.auth.deactivation.deactivate(id)],
    ['plain SQL and a refresh', async () => [await setActive(false), await clients[2]?.refresh()]],
  ])('by %s stays final for its sessions when the user becomes active again', async (_how, deactivate) => {
    await deactivate();
    await setActive(true);
    for (const client of clients) expectProblem(await client.refresh(), 401, 'token_not_valid');
    expect(await enabledSessions()).toEqual([strangersSession()]);
    const again = app.client();
    expect((await again.login(ADA)).status).toBe(200);
    expect((await again.refresh()).status).toBe(200);
    expect(await enabledSessions()).toHaveLength(2);
  });
});
