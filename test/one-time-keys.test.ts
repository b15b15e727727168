import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Database } from '../src/database/database.js';
import { entityMetadata } from '../src/database/table.js';
import { type KeyPurpose, OneTimeKeys } from '../src/tokens/one-time-keys.service.js';
import { UserService } from '../src/users/user.service.js';
import { createTestApp, type TestApp, type TestAppOptions } from './support/test-app.js';
import { waitForBlocked } from './support/test-database.js';
import { AppUser, BigintUser, IntegerUser } from './support/users.js';

let app: TestApp;
let database: Database;
let keys: OneTimeKeys;
let user: { id: never; email: string };
const RESET: readonly KeyPurpose[] = ['password-reset'];

async function start(type: TestAppOptions['user'] = AppUser): Promise<void> {
  app = await createTestApp({ user: type });
  database = new Database(app.orm);
  const meta = entityMetadata(app.orm.getMetadata(), (type as { name: string }).name);
  keys = new OneTimeKeys(database, app.orm, new UserService(database, app.orm, meta as never), app.clock);
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
  test('is found any number of times and claimed once', async () => {
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

  test('is claimed by one of many at the same moment', async () => {
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

  test('is good until the instant in which it expires', async () => {
    const key = await issue();
    app.clock.advance(59.999);
    expect(await keys.find(key, RESET)).toBeDefined();
    app.clock.advance(0.001);
    expect([await keys.find(key, RESET), await claim(key)]).toEqual([undefined, undefined]);
    expect(await rows()).toHaveLength(1);
  });

  test('is good for its purpose alone', async () => {
    const key = await issue();
    expect(await claim(key, ['invitation', 'email-change'])).toBeUndefined();
    expect(await claim(key)).toBeDefined();
  });

  test.each(['', 'short', 'A'.repeat(44), `${'A'.repeat(42)}=`, `${'A'.repeat(42)}\n`])(
    'is not looked for where it cannot be one (%j)',
    async (key) => {
      expect([await keys.find(key, RESET), await claim(key)]).toEqual([undefined, undefined]);
    },
  );

  test('is void for a deactivated user, and gone with a deleted one', async () => {
    const key = await issue();
    await update('is_active = false');
    expect(await claim(key)).toBeUndefined();
    await app.database.pool.query('delete from app_user');
    expect(await rows()).toEqual([]);
  });

  test('is void once the user has another address, unless it is the key of that change', async () => {
    const [reset, change] = [await issue(), await issue('email-change', 'new@example.com')];
    await update("email = 'other@example.com'");
    expect(await claim(reset)).toBeUndefined();
    expect(await claim(change, ['email-change'])).toBeDefined();
  });

  test('goes with the others of its user when they are revoked', async () => {
    const [reset, change] = [await issue(), await issue('email-change', 'new@example.com')];
    await database.transaction((em) => keys.revokeAll(user.id, em));
    expect([await claim(reset), await claim(change, ['email-change'])]).toEqual([undefined, undefined]);
  });

  test('is not claimed by who had to wait for a deactivation', async () => {
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

  test('that was claimed in a transaction which fails is good again', async () => {
    const key = await issue();
    const failing = database.transaction(async (em) => {
      expect(await keys.claim(key, RESET, em)).toBeDefined();
      throw new Error('the flow failed');
    });
    await expect(failing).rejects.toThrow('the flow failed');
    expect(await claim(key)).toBeDefined();
  });
});
