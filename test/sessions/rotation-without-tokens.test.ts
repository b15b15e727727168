import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type BaseUser, type ForUserOptions, RefreshToken } from '../../src/index.js';
import { expectProblem } from '../support/expect-problem.js';
import { claimsOf, createOwner, type Owner, sessionOf } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

/** Runs in `forUser` before it creates the token. */
let before: () => unknown = () => undefined;

class DependentToken extends RefreshToken {
  static override async forUser(user: BaseUser, options?: ForUserOptions) {
    await before();
    return super.forUser(user, options);
  }
}

const fail = () => {
  throw new Error('the permission service is away');
};

describe.each([
  { refreshReuseGrace: '10s', auditLog: false },
  { refreshReuseGrace: '10s', auditLog: true },
  { refreshReuseGrace: '0s', auditLog: false },
])('a refresh for which no tokens can be created, with %o', (settings) => {
  let app: TestApp;
  let owner: Owner;
  const emitted: string[] = [];
  beforeAll(async () => {
    app = await createTestApp({
      settings: { ...settings, refreshToken: DependentToken },
      orm: { driverOptions: { max: 1, connectionTimeoutMillis: 1000 } },
    });
    for (const name of ['session.refreshed', 'session.revoked', 'session.reuse-detected'] as const) {
      app.auth.events.on(name, () => emitted.push(name));
    }
  });
  afterAll(() => app.close());
  beforeEach(async () => {
    before = () => undefined;
    owner = await createOwner(app);
    emitted.length = 0;
  });

  const row = async () => (await app.sessions()).find(({ id }) => id === sessionOf(owner.client));
  const audited = async () => {
    const sql = `select event from auth_audit_event where session = $1 and event <> 'session.opened'`;
    return (await app.database.pool.query(sql, [sessionOf(owner.client)])).rows;
  };
  const tabs = () => Array.from({ length: 8 }, () => owner.client.copy());

  test('consumes nothing: the same token works later, after the fault is fixed', async () => {
    const [stored, presented] = [await row(), owner.client.refreshToken];
    before = fail;
    for (const seconds of [0, 5, 60, 86_400]) {
      app.clock.advance(seconds);
      expectProblem(await owner.client.refresh(), 500, 'internal_error');
    }
    expect(await row()).toEqual(stored);
    expect([emitted, await audited()]).toEqual([[], []]);

    before = () => undefined;
    expect((await owner.client.refresh()).status).toBe(200);
    const parent = claimsOf(presented);
    expect(await row()).toMatchObject({ previous_jti: parent.jti, jti: claimsOf(owner.client.refreshToken).jti });
    expect(claimsOf(owner.client.refreshToken).iat).toBe(parent.iat + 86_465);
    expect(emitted).toEqual(['session.refreshed']);
  });

  test('consumes nothing if it is one of several at once', async () => {
    const stored = await row();
    before = fail;
    for (const answer of await Promise.all(tabs().map((tab) => tab.refresh()))) {
      expectProblem(answer, 500, 'internal_error');
    }
    expect(await row()).toEqual(stored);
    expect([emitted, await audited()]).toEqual([[], []]);
    before = () => undefined;
    expect((await owner.client.refresh()).status).toBe(200);
  });

  test('holds no connection and no row lock while forUser runs', async () => {
    before = async () => {
      await app.orm.em.fork().execute('select 1 from app_user');
      await app.database.pool.query('update auth_session set device = null where id = $1', [sessionOf(owner.client)]);
    };
    expect((await owner.client.refresh()).status).toBe(200);
    expect(emitted).toEqual(['session.refreshed']);
  });

  test('is refused if the session ends, or its user is deactivated, while forUser runs', async () => {
    before = () => app.auth.sessions.revokeAll(owner.id);
    expectProblem(await owner.client.refresh(), 401, 'token_not_valid');
    expect([await owner.live(), (await row())?.previous_jti]).toEqual([0, null]);

    const client = await owner.another();
    before = () => app.database.pool.query('update app_user set is_active = false where id = $1', [owner.id]);
    expectProblem(await client.refresh(), 401, 'token_not_valid');
    expect(await owner.live()).toBe(0);
    expect(emitted).not.toContain('session.refreshed');
  });
});

describe('a refresh whose forUser takes longer than the grace', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ settings: { refreshToken: DependentToken } });
  });
  afterAll(() => app.close());
  beforeEach(() => {
    before = () => undefined;
    app.events.length = 0;
  });

  test('returns the same successor to all parallel requests, with the whole grace after the rotation', async () => {
    const { client, live } = await createOwner(app);
    const [retry, late] = [client.copy(), client.copy()];
    const entered = Promise.withResolvers<void>();
    const both = Promise.withResolvers<void>();
    let waiting = 0;
    before = async () => {
      if (++waiting === 2) entered.resolve();
      await both.promise;
    };
    const answers = Promise.all([client.refresh(), retry.refresh()]);
    await entered.promise;
    app.clock.advance(30);
    both.resolve();
    expect((await answers).map(({ status }) => status)).toEqual([200, 200]);
    before = () => undefined;
    app.clock.advance(10);
    expect((await late.refresh()).status).toBe(200);
    const successors = [client, retry, late].map(({ refreshToken }) => claimsOf(refreshToken));
    expect(successors).toEqual(Array(3).fill(successors[0]));
    expect(successors[0].iat).toBe(app.clock.now() / 1000 - 10);
    expect(app.events.map(({ reuse }) => reuse)).toEqual(['lost-response', 'lost-response']);
    expect(await live()).toBe(1);
  });

  test('is not reported as reuse if the parent comes again within the grace and no tokens can be created for it', async () => {
    const { client } = await createOwner(app);
    const parent = client.copy();
    await client.refresh();
    app.events.length = 0;
    app.log.length = 0;
    before = fail;
    expectProblem(await parent.refresh(), 500, 'internal_error');
    expect(app.events).toEqual([]);
    expect(app.log.map(({ message }) => message)).toEqual(['request failed']);
    before = () => undefined;
    expect((await parent.refresh()).status).toBe(200);
    expect(claimsOf(parent.refreshToken)).toEqual(claimsOf(client.refreshToken));
  });
});
