import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { createOwner, type Owner, sessionOf } from '../support/race.js';
import { runInProcess, SOURCE_ORM } from '../support/run-in-process.js';
import { createTestApp, SECRET, type TestApp } from '../support/test-app.js';

let app: TestApp;
let owner: Owner;
let email: string;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.close());
beforeEach(async () => {
  owner = await createOwner(app);
  email = (await app.database.pool.query('select email from app_user where id = $1', [owner.id])).rows[0].email;
});

const run = (...args: string[]) =>
  runInProcess(['sessions', ...args, '--orm', SOURCE_ORM], {
    DATABASE_URL: app.database.url,
    JWT_ALLAUTH_SECRET_KEY: SECRET,
    JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY,
  });

/** Two live sessions, the second used last, and also a revoked one and an expired one. */
async function fourSessions() {
  const [first, second] = [owner.client, await owner.another()];
  const [revoked, expired] = [await owner.another(), await owner.another()];
  const { pool } = app.database;
  await pool.query(`update auth_session set rotated_at = now() - interval '1 hour' where id = $1`, [sessionOf(first)]);
  await pool.query('update auth_session set enabled = false where id = $1', [sessionOf(revoked)]);
  await pool.query(`update auth_session set expires_at = now() - interval '1 hour' where id = $1`, [
    sessionOf(expired),
  ]);
  return { first, second };
}

describe('sessions list', () => {
  test('shows the live sessions of a user, the last used first, without control characters of clients', async () => {
    const { first, second } = await fourSessions();
    await createOwner(app);
    const device = ['Firefox \u001b[2J', 'macOS\u009b', null, '192.0.2.1', sessionOf(second)];
    const sql = 'update auth_session set browser = $1, os = $2, device = $3, ip = $4 where id = $5';
    await app.database.pool.query(sql, device);
    const instant = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;
    const lines = [
      `${sessionOf(second)}  used ${instant}  opened ${instant}  expires ${instant}  Firefox \\?\\[2J, macOS\\?, 192\\.0\\.2\\.1`,
      `${sessionOf(first)}  used ${instant}  opened ${instant}  expires ${instant}`,
    ];
    const expected = new RegExp(`^${lines.join('\n')}\n$`);
    expect(await run('list', '--user', email.toUpperCase())).toEqual({
      code: 0,
      stdout: expect.stringMatching(expected),
      stderr: '',
    });
    expect((await run('list', '--user', owner.id)).stdout).toMatch(expected);
  });

  test('prints the same as JSON', async () => {
    const { first, second } = await fourSessions();
    const { code, stdout, stderr } = await run('list', '--user', owner.id, '--json');
    expect([code, stderr]).toEqual([0, '']);
    const sessions = JSON.parse(stdout);
    expect(sessions.map(({ id }: { id: string }) => id)).toEqual([sessionOf(second), sessionOf(first)]);
    const instant = expect.stringMatching(/^\d{4}-.*Z$/);
    const device = { ip: null, browser: null, os: null, device: null };
    const dates = { createdAt: instant, lastUsedAt: instant, expiresAt: instant };
    expect(sessions[0]).toEqual({ id: sessionOf(second), ...dates, ...device });
  });

  test('says so if a user has no live session', async () => {
    await app.auth.sessions.revokeAll(owner.id);
    expect(await run('list', '--user', email)).toEqual({ code: 0, stdout: 'no live sessions\n', stderr: '' });
    expect(await run('list', '--user', email, '--json')).toEqual({ code: 0, stdout: '[]\n', stderr: '' });
  });
});

describe('sessions revoke', () => {
  test('ends every session of the user and no session of others', async () => {
    const { first, second } = await fourSessions();
    const other = await createOwner(app);
    expect(await run('revoke', '--user', email)).toEqual({ code: 0, stdout: 'sessions revoked: 2\n', stderr: '' });
    expect(await owner.live()).toBe(0);
    expect([(await first.refresh()).status, (await second.refresh()).status]).toEqual([401, 401]);
    expect((await other.client.refresh()).status).toBe(200);
    expect(await run('revoke', '--user', owner.id)).toEqual({ code: 0, stdout: 'sessions revoked: 0\n', stderr: '' });
  });

  test('ends one session if one is named', async () => {
    const { first, second } = await fourSessions();
    const args = ['revoke', '--user', owner.id, '--session', sessionOf(first)];
    expect(await run(...args)).toEqual({ code: 0, stdout: 'sessions revoked: 1\n', stderr: '' });
    expect([(await first.refresh()).status, (await second.refresh()).status]).toEqual([401, 200]);
    const again = { code: 1, stdout: '', stderr: 'jwt-allauth: the user has no live session with this id\n' };
    expect(await run(...args)).toEqual(again);
    const foreign = sessionOf((await createOwner(app)).client);
    for (const id of [foreign, randomUUID(), "no uuid' at all"]) {
      expect(await run('revoke', '--user', owner.id, '--session', id)).toEqual(again);
    }
    expect(await owner.live()).toBe(1);
  });
});

test.each([
  ['ada@example.org', 'there is no user with this e-mail address'],
  [randomUUID(), 'there is no user with this id'],
  ['17', 'there is no user with this id'],
  ["' or true --", 'there is no user with this id'],
])('--user %s finds no user, and ends no session', async (user, complaint) => {
  for (const command of ['list', 'revoke']) {
    const expected = { code: 1, stdout: '', stderr: `jwt-allauth: ${complaint}\n` };
    expect(await run(command, '--user', user)).toEqual(expected);
  }
  expect(await owner.live()).toBe(1);
});
