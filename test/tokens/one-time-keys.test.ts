import { createHash } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Database } from '../../src/database/database.js';
import { entityMetadata } from '../../src/database/table.js';
import { type KeyPurpose, OneTimeKeys } from '../../src/tokens/one-time-keys.js';
import { UserService } from '../../src/users/user.service.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/test-app.js';
import { waitForBlocked } from '../support/test-database.js';
import { AppUser, BigintUser, IntegerUser } from '../support/users.js';

let app: TestApp;
let database: Database;
let keys: OneTimeKeys;
let user: { id: never; email: string };
const RESET: readonly KeyPurpose[] = ['password-reset'];

async function start(type: TestAppOptions['user'] = AppUser): Promise<void> {
  app = await createTestApp({ user: type });
  database = new Database(app.orm);
  const meta = entityMetadata(app.orm.getMetadata(), (type as { name: string }).name);
  keys = new OneTimeKeys({
    database,
    orm: app.orm,
    users: new UserService(database, app.orm, meta as never),
    clock: app.clock,
  });
  const em = app.orm.em.fork();
  const entity = em.create(type as typeof AppUser, { email: 'ada@example.com', isActive: true } as never);
  await em.persist(entity).flush();
  user = entity as never;
}

const issue = (purpose: KeyPurpose = 'password-reset', email = 'ada@example.com') =>
  database.transaction((em) => keys.issue(purpose, user.id, email, 60, em));
const claim = (key: string, purposes = RESET) => database.transaction((em) => keys.claim(key, purposes, em));
const update = (set: string) => app.database.pool.query(`update app_user set ${set}`);
const rows = async () => (await app.database.pool.query('select * from auth_one_time_key')).rows;

describe.each([
  ['uuid', AppUser],
  ['integer', IntegerUser],
  ['bigint', BigintUser],
])('for users with a key of type %s, a one-time key', (_, type) => {
  test('can be found any number of times and claimed once', async () => {
    await start(type);
    const key = await issue();
    const found = { purpose: 'password-reset', user: user.id, email: 'ada@example.com' };
    for (let time = 0; time < 2; time++) {
      expect(await keys.find(key, RESET)).toEqual({ ...found, user: expect.anything() });
    }
    expect(String((await claim(key))?.user)).toBe(String(user.id));
    expect([await claim(key), await keys.find(key, RESET), await rows()]).toEqual([undefined, undefined, []]);
    await app.close();
  });
});

describe('a one-time key', () => {
  beforeEach(() => start());
  afterEach(() => app.close());

  test('has 256 random bits and is stored as its hash alone', async () => {
    const key = await issue();
    expect(Buffer.from(key, 'base64url')).toHaveLength(32);
    const [row] = await rows();
    expect(row.hash).toBe(createHash('sha256').update(key).digest('base64url'));
    expect(JSON.stringify(row)).not.toContain(key);
  });

  test('can be claimed by one of many requests at the same moment', async () => {
    const key = await issue();
    const claims = await Promise.all(Array.from({ length: 30 }, () => claim(key)));
    expect(claims.filter((claimed) => claimed !== undefined)).toHaveLength(1);
  });

  test('is superseded by the next one of its purpose, and by no other', async () => {
    const [older, other] = [await issue(), await issue('email-change', 'new@example.com')];
    const newer = await issue();
    expect(await claim(older)).toBeUndefined();
    expect(await claim(newer)).toBeDefined();
    expect(await claim(other, ['email-change'])).toMatchObject({ email: 'new@example.com' });
  });

  test('is valid until the instant in which it expires', async () => {
    const key = await issue();
    app.clock.advance(59.999);
    expect(await keys.find(key, RESET)).toBeDefined();
    app.clock.advance(0.001);
    expect([await keys.find(key, RESET), await claim(key)]).toEqual([undefined, undefined]);
    expect(await rows()).toHaveLength(1);
  });

  test('is valid for its purpose only', async () => {
    const key = await issue();
    expect(await claim(key, ['invitation', 'email-change'])).toBeUndefined();
    expect(await claim(key)).toBeDefined();
  });

  test.each(['', 'short', 'A'.repeat(44), `${'A'.repeat(42)}=`, `${'A'.repeat(42)}\n`])(
    'is not looked up if it has the wrong form (%j)',
    async (key) => {
      expect([await keys.find(key, RESET), await claim(key)]).toEqual([undefined, undefined]);
    },
  );

  test('does not work for a deactivated user, and is deleted with the user', async () => {
    const key = await issue();
    await update('is_active = false');
    expect(await claim(key)).toBeUndefined();
    await app.database.pool.query('delete from app_user');
    expect(await rows()).toEqual([]);
  });

  test('does not work when the user has another address, unless it is the key of that change', async () => {
    const [reset, change] = [await issue(), await issue('email-change', 'new@example.com')];
    await update("email = 'other@example.com'");
    expect(await claim(reset)).toBeUndefined();
    expect(await claim(change, ['email-change'])).toBeDefined();
  });

  test('is revoked together with the other keys of its user', async () => {
    const [reset, change] = [await issue(), await issue('email-change', 'new@example.com')];
    await database.transaction((em) => keys.revokeAll(user.id, em));
    expect([await claim(reset), await claim(change, ['email-change'])]).toEqual([undefined, undefined]);
  });

  test('is not claimed by a request that had to wait for a deactivation', async () => {
    const key = await issue();
    const other = await app.database.pool.connect();
    await other.query('begin');
    await other.query('update app_user set is_active = false');
    const claimed = claim(key);
    await waitForBlocked(app.database.pool, 1);
    await other.query('commit');
    other.release();
    expect(await claimed).toBeUndefined();
    expect(await rows()).toHaveLength(1);
  });

  test('is valid again if the transaction that claimed it fails', async () => {
    const key = await issue();
    const failing = database.transaction(async (em) => {
      expect(await keys.claim(key, RESET, em)).toBeDefined();
      throw new Error('the flow failed');
    });
    await expect(failing).rejects.toThrow('the flow failed');
    expect(await claim(key)).toBeDefined();
  });
});

describe('a claim in parallel with another change', () => {
  beforeEach(() => start());
  afterEach(() => app.close());

  /** Holds a transaction open until this many statements of `then` wait for it, and then commits or rolls it back. */
  async function whileOpen<A, B>(
    first: (em: EntityManager) => Promise<A>,
    then: () => Promise<B>,
    { blocked = 1, isRolledBack = false } = {},
  ): Promise<[A, B]> {
    const [happened, waiting] = [Promise.withResolvers<A>(), Promise.withResolvers<B>()];
    const rolledBack = new Error('rolled back');
    const open = database.transaction(async (em) => {
      happened.resolve(await first(em));
      then().then(waiting.resolve, waiting.reject);
      await waitForBlocked(app.database.pool, blocked);
      if (isRolledBack) throw rolledBack;
    });
    await open.catch((error) => {
      if (error !== rolledBack) throw error;
    });
    return Promise.all([happened.promise, waiting.promise]);
  }

  const move = (em: EntityManager) => database.query("update app_user set email = 'other@example.com'", [], em);
  const issueIn = (em: EntityManager) => keys.issue('password-reset', user.id, user.email, 60, em);
  const emails = async () =>
    (await app.database.pool.query('select email from app_user')).rows.map(({ email }) => email);
  const purposes = async () => (await rows()).map(({ purpose }) => purpose);

  test('waits for a change of the address, after which only the key of that change is valid', async () => {
    const [reset, change] = [await issue(), await issue('email-change', 'other@example.com')];
    const claims = () => Promise.all([claim(reset), claim(change, ['email-change'])]);
    const [, [reset2, changed]] = await whileOpen(move, claims, { blocked: 2 });
    expect([reset2, changed?.email, await purposes()]).toEqual([undefined, 'other@example.com', ['password-reset']]);
  });

  test('waits for a change of the address that is then rolled back, and gets the key', async () => {
    const key = await issue();
    const [, claimed] = await whileOpen(move, () => claim(key), { isRolledBack: true });
    expect([claimed?.email, await rows(), await emails()]).toEqual(['ada@example.com', [], ['ada@example.com']]);
  });

  test('makes a change of the address wait until the claim ends', async () => {
    const [key, other] = [await issue(), await issue('invitation')];
    const [claimed] = await whileOpen(
      (em) => keys.claim(key, RESET, em),
      () => database.transaction(move),
    );
    expect([claimed?.email, await emails()]).toEqual(['ada@example.com', ['other@example.com']]);
    expect([await claim(other, ['invitation']), await purposes()]).toEqual([undefined, ['invitation']]);
  });

  test('waits for the key that supersedes its own, and leaves that one valid', async () => {
    const older = await issue();
    const [newer, claimed] = await whileOpen(issueIn, () => claim(older));
    expect([claimed, await purposes()]).toEqual([undefined, RESET]);
    expect([await claim(newer), await rows()]).toEqual([expect.anything(), []]);
  });

  test('waits for a superseding key that is then rolled back, and gets its own', async () => {
    const older = await issue();
    const [newer, claimed] = await whileOpen(issueIn, () => claim(older), { isRolledBack: true });
    expect([claimed?.purpose, await rows(), await claim(newer)]).toEqual(['password-reset', [], undefined]);
  });

  test('makes the next key of its purpose wait, which is valid afterwards', async () => {
    const older = await issue();
    const [claimed, newer] = await whileOpen(
      (em) => keys.claim(older, RESET, em),
      () => database.transaction(issueIn),
    );
    expect([claimed?.purpose, await claim(older), await purposes()]).toEqual(['password-reset', undefined, RESET]);
    expect(await claim(newer)).toBeDefined();
  });

  test('of several keys of a user runs one after the other, in any order', async () => {
    const [reset, change] = [await issue(), await issue('email-change', 'other@example.com')];
    const both = (first: string, second: string, wait = async () => {}) =>
      database.transaction(async (em) => {
        const one = await keys.claim(first, ['password-reset', 'email-change'], em);
        await wait();
        return [one, await keys.claim(second, ['password-reset', 'email-change'], em)];
      });
    const crossing = Promise.withResolvers<Awaited<ReturnType<typeof both>>>();
    const claimed = await both(reset, change, async () => {
      both(change, reset).then(crossing.resolve, crossing.reject);
      await waitForBlocked(app.database.pool, 1);
    });
    expect(claimed.map((each) => each?.purpose)).toEqual(['password-reset', 'email-change']);
    expect([await crossing.promise, await rows()]).toEqual([[undefined, undefined], []]);
  });

  test('waits for no claim of another user, and blocks none, 30 times crosswise', async () => {
    const ada = user;
    const other = Object.assign(new AppUser(), { email: 'grace@example.com' });
    await app.orm.em.fork().persist(other).flush();
    const issueFor = async (owner: typeof user) => {
      user = owner;
      return [await issue('password-reset', owner.email), await issue('invitation', owner.email)];
    };
    const either: readonly KeyPurpose[] = ['password-reset', 'invitation'];
    for (let round = 0; round < 30; round++) {
      const [a1 = '', a2 = ''] = await issueFor(ada);
      const [b1 = '', b2 = ''] = await issueFor(other as never);
      // If it were blocked, this would hang: one claim ends while the other is still open.
      await database.transaction(async (em) => {
        expect((await keys.claim(a1, either, em))?.user).toBe(ada.id);
        expect((await claim(b1, either))?.user).toBe(other.id);
      });
      const claims = await Promise.all([a2, b2, b2, a2, b1, a1, b2, a2].map((key) => claim(key, either)));
      const owners = claims.flatMap((claimed) => (claimed ? [claimed.user] : []));
      expect([owners.sort(), await rows()]).toEqual([[ada.id, other.id].sort(), []]);
    }
  });
});
