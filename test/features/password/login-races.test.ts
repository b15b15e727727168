import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CheapHasher } from '../../support/cheap-hasher.js';
import { createOwner, type Owner, race } from '../../support/race.js';
import { createTestApp, type TestApp } from '../../support/test-app.js';
import { PASSWORD } from '../../support/test-client.js';

const ROUNDS = 250; // in each of two orders

describe('a login with the old password', () => {
  let app: TestApp;
  let passwordHash: string;
  beforeAll(async () => {
    app = await createTestApp({ settings: { oldPasswordFieldEnabled: false } });
    passwordHash = await new CheapHasher().hash(PASSWORD);
  });
  afterAll(() => app.close());

  async function setUp() {
    const owner = await createOwner(app, passwordHash);
    const { rows } = await app.database.pool.query('select email from app_user where id = $1', [owner.id]);
    const changer = owner.client;
    const row = { table: 'app_user', id: owner.id };
    const login = app.client();
    return {
      owner,
      row,
      login,
      signIn: () => login.login(rows[0].email),
      change: () => changer.changePassword('', `${PASSWORD}, changed`),
      deactivate: () => app.auth.deactivation.deactivate(owner.id),
    };
  }

  test(`that comes before a password change is signed out by it, ${ROUNDS} times`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { owner, row, login, signIn, change } = await setUp();
      const [signedIn, changed] = await race(app, row, signIn, change);
      expect([signedIn.status, changed.status]).toEqual([200, 200]);
      expect((await login.refresh()).body.code).toBe('token_not_valid');
      expect(await owner.live()).toBe(1);
    }
  });

  test(`that checks the password before a password change and ends after it is refused, ${ROUNDS} times`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { owner, row, signIn, change } = await setUp();
      const [changed, refused] = await race(app, row, change, signIn);
      expect([changed.status, refused.status, refused.body.code]).toEqual([200, 401, 'incorrect_credentials']);
      expect(refused.cookie).toBeUndefined();
      expect(await owner.live()).toBe(1);
    }
  });

  test.each<[how: string, end: (owner: Owner) => Promise<unknown>]>([
    ['a logout everywhere', ({ client }) => client.logoutAll()],
    ['the app that ends every session', ({ id }) => app.auth.sessions.revokeAll(id)],
  ])('that comes before %s leaves no live session', async (_how, end) => {
    for (let round = 0; round < 50; round++) {
      const { owner, row, signIn } = await setUp();
      const [signedIn] = await race(app, row, signIn, () => end(owner));
      expect(signedIn.status).toBe(200);
      expect(await owner.live()).toBe(0);
    }
  });

  test.each(['before', 'after'])(
    'that runs in parallel with a deactivation, %s it, leaves no live session',
    async (order) => {
      for (let round = 0; round < 50; round++) {
        const { owner, row, signIn, deactivate } = await setUp();
        if (order === 'before') {
          const [signedIn] = await race(app, row, signIn, deactivate);
          expect(signedIn.status).toBe(200);
        } else {
          const [, refused] = await race(app, row, deactivate, signIn);
          expect([refused.status, refused.body.code]).toEqual([401, 'incorrect_credentials']);
        }
        expect(await owner.live()).toBe(0);
      }
    },
  );
});
