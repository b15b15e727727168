import { Authorized, CurrentUser, Get, JsonController } from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { LoadUser } from '../../src/index.js';
import { given, Plan, plain, RichRefreshToken, RichUser } from '../support/rich-user.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';

@Service()
@JsonController('/me')
class MeController {
  @Authorized()
  @LoadUser()
  @Get('/user')
  user(@CurrentUser() user: RichUser) {
    return { loudEmail: user.loudEmail, plan: user.plan, isBigint: typeof user.id === 'bigint' };
  }
}

describe('a user entity with columns of every kind, in its own schema and with its own names', () => {
  let app: TestApp;
  let client: TestClient;
  beforeAll(async () => {
    const settings = {
      refreshToken: RichRefreshToken,
      userAttributes: { shipping: 'shipping', street: 'address.street' },
    };
    app = await createTestApp({ user: RichUser, settings, controllers: [MeController] });
    client = app.client();
    expect((await client.register('user@example.com')).status).toBe(201);
    await app.database.pool.query(`
      update people."Account" set
        "order" = 'express', address_street = 'Main Street 1', address_zip = 12345,
        billing = '{"street": "Side Street 2", "zip": 54321}', plan = 'paid', plans = '{free,paid}',
        preferences = '{"theme": ["dark", 1, null]}', tags = '{"a b","c,d","e\\"f"}', balance = 12345678.9012,
        points = 9007199254740993, score = 0.1, birthday = '1815-12-10', last_seen = '2026-03-29T02:30:00.123Z',
        picture = '\\x00ff10', biography = 'long', note = 'hidden'`);
  });
  beforeEach(() => void given.splice(0));
  afterAll(() => app.close());

  const read = async () => plain(await app.orm.em.fork().findOneOrFail(RichUser, { email: 'user@example.com' }));

  test('has the same values in forUser at a rotation as when the ORM loads it', async () => {
    expect((await client.refresh()).status).toBe(200);
    expect(given).toEqual([await read()]);
    expect(given[0]).toMatchObject({
      kind: 'RichUser',
      shipping: 'express',
      address: { street: 'Main Street 1', zipCode: 12_345 },
      billing: { street: 'Side Street 2', zipCode: 54_321 },
      plan: Plan.Paid,
      plans: [Plan.Free, Plan.Paid],
      preferences: { theme: ['dark', 1, null] },
      tags: ['a b', 'c,d', 'e"f'],
      balance: '12345678.9012',
      points: 9_007_199_254_740_993n,
      birthday: '1815-12-10',
      lastSeen: new Date('2026-03-29T02:30:00.123Z'),
      note: 'hidden',
    });
    expect(given[0]).not.toHaveProperty('biography');
    expect(given[0]).not.toHaveProperty('passwordHash');
  });

  test('has the same values at a sign-in, a retry and a change of the password', async () => {
    const other = app.client();
    expect((await other.login('user@example.com')).status).toBe(200);
    const retry = other.copy();
    await other.refresh();
    expect((await retry.refresh()).status).toBe(200);
    expect((await other.changePassword(PASSWORD, PASSWORD)).status).toBe(200);
    const loaded = await read();
    const before = { ...loaded, version: 1 }; // a change of the password raises it
    expect(loaded).toMatchObject({ version: 2 });
    expect(given).toEqual([before, before, before, loaded]);
  });

  test('adds its columns to the tokens', async () => {
    client = app.client();
    await client.login('user@example.com');
    const expected = { sub: '1', plan: 'paid', zip: 12_345, shipping: 'express', street: 'Main Street 1' };
    expect(app.auth.tokens.verifyAccess(client.access)).toMatchObject(expected);
    expect(app.auth.tokens.verifyRefresh(client.refreshToken)).toMatchObject(expected);
  });

  test('is loaded by @LoadUser with its formula', async () => {
    const body = { loudEmail: 'USER@EXAMPLE.COM', plan: 'paid', isBigint: true };
    expect((await client.get('/me/user')).body).toEqual(body);
  });

  test('is not written by a rotation, a retry or a sign-in: the version stays the same', async () => {
    const row = async () => (await app.database.pool.query('select * from people."Account"')).rows;
    const before = await row();
    const retry = client.copy();
    await client.refresh();
    await retry.refresh();
    await app.client().login('user@example.com');
    expect(await row()).toEqual(before);
  });

  test('has a foreign key from its sessions that deletes them with it', async () => {
    expect(await app.liveSessions()).toBeGreaterThan(0);
    await app.database.pool.query('delete from people."Account"');
    expect(await app.sessions()).toEqual([]);
    expect((await client.refresh()).status).toBe(401);
  });
});
