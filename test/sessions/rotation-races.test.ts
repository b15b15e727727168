import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RefreshToken } from '../../src/index.js';
import { createOwner, type Owner, race, sessionOf } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';
import { AppRefreshToken } from '../support/users.js';

const ROUNDS = 250; // in each of two orders

/** The library's token class and a class of the app are rotated by different statements. */
const CLASSES = [AppRefreshToken, RefreshToken];

/** The ways to end sessions, and how many of a user's two sessions may live afterwards. */
const revocations: [name: string, survivors: number, revoke: (owner: Owner, app: TestApp) => Promise<unknown>][] = [
  ['a logout', 1, ({ client }) => client.copy().logout()],
  ['a logout of everything', 0, ({ client }) => client.copy().logoutAll()],
  ['a password change', 1, ({ client }) => client.copy().changePassword('', `${PASSWORD} again`)],
  ['a deactivation', 0, ({ id }, app) => app.auth.deactivation.deactivate(id)],
];

describe.each(revocations)('a refresh in parallel with %s', (name, survivors, revoke) => {
  let apps: TestApp[];
  beforeAll(async () => {
    const settings = { oldPasswordFieldEnabled: false };
    apps = await Promise.all(CLASSES.map((refreshToken) => createTestApp({ settings: { ...settings, refreshToken } })));
  });
  afterAll(() => Promise.all(apps.map((app) => app.close())));

  /** Plays two rounds for each app. The rounds of one app run one after the other, the apps run in parallel. */
  async function play(rounds: number, round: (app: TestApp, index: number) => Promise<void>): Promise<void> {
    let played = 0;
    const playIn = async (app: TestApp, place: number) => {
      for (let index = 0; index < rounds; index++) {
        if ((index >> 1) % apps.length !== place) continue;
        await round(app, index);
        played++;
      }
    };
    await Promise.all(apps.map(playIn));
    expect(played).toBe(rounds);
  }

  /** The session that was being refreshed has ended, for each of its tokens, and no more sessions live than should. */
  async function assertEnded(app: TestApp, owner: Owner, before: Owner['client']): Promise<void> {
    const { rows } = await app.database.pool.query('select enabled from auth_session where id = $1', [
      sessionOf(before),
    ]);
    expect(rows).toEqual([{ enabled: false }]);
    expect(await owner.live()).toBe(survivors);
    expect((await owner.client.refresh()).status).toBe(401);
  }

  test(`leaves no live session when the refresh is first, ${ROUNDS} times`, async () => {
    await play(ROUNDS, async (app) => {
      const owner = await createOwner(app);
      await owner.another();
      const before = owner.client.copy();
      const row = { table: 'auth_session', id: sessionOf(before) };
      const [refreshed] = await race(
        app,
        row,
        () => owner.client.refresh(),
        () => revoke({ ...owner, client: before }, app),
      );
      expect(refreshed.status).toBe(200);
      await assertEnded(app, owner, before);
    });
  });

  test(`leaves no live session when ${name} is first, ${ROUNDS} times`, async () => {
    await play(ROUNDS, async (app) => {
      const owner = await createOwner(app);
      await owner.another();
      const before = owner.client.copy();
      const row = { table: 'auth_session', id: sessionOf(before) };
      const [, refreshed] = await race(
        app,
        row,
        () => revoke({ ...owner, client: before }, app),
        () => owner.client.refresh(),
      );
      expect([refreshed.status, refreshed.body.code]).toEqual([401, 'token_not_valid']);
      await assertEnded(app, owner, before);
    });
  });

  test('leaves no live session in any order, 500 times', async () => {
    await play(500, async (app, round) => {
      const owner = await createOwner(app);
      await owner.another();
      const before = owner.client.copy();
      const both = [() => owner.client.refresh(), () => revoke({ ...owner, client: before }, app)];
      await Promise.all((round % 2 ? both : both.reverse()).map((start) => start()));
      await assertEnded(app, owner, before);
    });
  });
});
