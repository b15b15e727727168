import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';
import { AppUser } from '../support/users.js';

describe('a session that the app opens in its own code', () => {
  let app: TestApp;
  let client: TestClient;
  let count = 0;
  let address: string;

  beforeAll(async () => {
    app = await createTestApp({ settings: { refreshTokenAsCookie: false } });
  });
  beforeEach(async () => {
    address = `user${++count}@example.com`;
    client = await app.signedUp(address);
  });
  afterAll(() => app.close());

  const load = (populate: string[]) =>
    app.orm.em.fork().findOneOrFail(AppUser, { email: address }, { populate: populate as never });
  const sessions = async () => (await app.database.pool.query('select * from auth_session')).rowCount;

  test('needs no password hash, because the user has signed in by another method', async () => {
    const user = await load([]);
    expect(user.passwordHash).toBeUndefined();
    await client.changePassword(PASSWORD, 'quite another sentence to say');
    client.refreshToken = (await app.auth.sessions.open(user)).refresh;
    expect((await client.refresh()).status).toBe(200);
  });

  test('is refused with an outdated password hash of the user', async () => {
    const user = await load(['passwordHash']);
    expect(user.passwordHash).toMatch(/^\$argon2id/);
    await app.database.pool.query(`update app_user set password_hash = 'another' where email = $1`, [address]);
    const before = await sessions();
    await expect(app.auth.sessions.open(user)).rejects.toMatchObject({ code: 'incorrect_credentials' });
    user.passwordHash = null;
    await expect(app.auth.sessions.open(user)).rejects.toMatchObject({ code: 'incorrect_credentials' });
    expect(await sessions()).toBe(before);
  });

  test.each([[[]], [['passwordHash']]])(
    'is refused for an inactive user, whatever was loaded: %j',
    async (populate) => {
      const user = await load(populate);
      await app.database.pool.query('update app_user set is_active = false where email = $1', [address]);
      const before = await sessions();
      await expect(app.auth.sessions.open(user)).rejects.toMatchObject({ code: 'incorrect_credentials' });
      expect(await sessions()).toBe(before);
    },
  );
});
