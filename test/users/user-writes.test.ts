import type { EntityManager } from '@mikro-orm/core';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BaseUser } from '../../src/index.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';

const NEXT = 'quite another sentence to say';

@Entity({ tableName: 'versioned' })
class Versioned extends BaseUser {
  @PrimaryKey({ type: 'integer' })
  override id!: number;

  @Property({ type: 'integer', version: true })
  version!: number;

  @Property({ type: 'datetime', nullable: true, onUpdate: () => new Date() })
  updatedAt?: Date;

  @Property({ type: 'text', nullable: true, onUpdate: (user: Versioned) => `${user.firstName} <${user.email}>` })
  label?: string;

  @Property({ type: 'string[]', nullable: true, onUpdate: (_: Versioned, em: EntityManager) => [em.constructor.name] })
  writers?: string[];
}

@Entity({ tableName: 'dated' })
class Dated extends BaseUser {
  @PrimaryKey({ type: 'integer' })
  override id!: number;

  @Property({ type: 'Date', length: 6, version: true })
  version!: Date;
}

let app: MailApp;
let ada: TestClient;
const row = async (table = 'versioned') => (await app.database.pool.query(`select * from ${table}`)).rows[0];
const setUp = async (user: typeof Versioned | typeof Dated) => {
  app = await createMailApp({}, { user });
  ada = app.client();
  expect((await ada.register('ada@example.com', PASSWORD, { firstName: 'Ada' })).status).toBe(201);
};
afterEach(() => app.close());

/** Every way in which the library writes a user outside the unit of work. */
const WRITES: [string, () => Promise<unknown>][] = [
  ['a change of the password', () => ada.changePassword(PASSWORD, NEXT)],
  [
    'a sign-in that stores the hash anew',
    async () => {
      // argon2id of the password of the tests, with weaker parameters
      const { hash } = await import('@node-rs/argon2');
      const weak = await hash(PASSWORD, { memoryCost: 8192, timeCost: 1, parallelism: 1 });
      await app.database.pool.query('update versioned set password_hash = $1', [weak]);
      expect((await app.client().login('ada@example.com')).status).toBe(200);
    },
  ],
  [
    'a password that was reset by mail',
    async () => {
      await app.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
      const opened = await app.open(await app.linkTo('ada@example.com'));
      const cookie = [...opened.cookies.values()][0]?.split(';')[0] ?? '';
      const set = await app.client().send('POST', '/auth/password/reset/set-new', { newPassword: NEXT }, { cookie });
      expect(set.status).toBe(200);
    },
  ],
  [
    'a changed address',
    async () => {
      const body = { email: 'countess@example.com', password: PASSWORD };
      expect((await ada.send('POST', '/auth/email/change', body, ada.bearer)).status).toBe(202);
      expect((await app.open(await app.linkTo('countess@example.com'))).status).toBe(200);
    },
  ],
  ['a deactivation', () => app.auth.deactivation.deactivate(1)],
];

describe('for a user with a version and onUpdate', () => {
  beforeEach(() => setUp(Versioned));

  test.each(WRITES)('%s raises the version once and calls onUpdate', async (_what, write) => {
    const before = await row();
    expect([before.version, before.updated_at]).toEqual([1, null]);
    await write();
    const { version, updated_at, label, writers, ...rest } = await row();
    expect([version, label, writers]).toEqual([2, `Ada <${rest.email}>`, ['PostgreSqlEntityManager']]);
    expect(Math.abs(updated_at - Date.now())).toBeLessThan(60_000);
    const changed = Object.keys(rest).filter((column) => rest[column] !== before[column]);
    expect([['password_hash'], ['password_hash', 'email_verified'], ['email'], ['is_active']]).toContainEqual(changed);
  });

  test('a flush of an entity that was loaded before such a write fails', async () => {
    const em = app.orm.em.fork();
    const user = await em.findOneOrFail(Versioned, { id: 1 });
    await ada.changePassword(PASSWORD, NEXT);
    user.firstName = 'Augusta';
    await expect(em.flush()).rejects.toThrow(/optimistic lock on entity Versioned failed/);
  });

  test('a requested address change, a wrong password, a sign-in and a refresh do not write the user', async () => {
    const before = await row();
    const body = { email: 'countess@example.com', password: PASSWORD };
    expect((await ada.send('POST', '/auth/email/change', body, ada.bearer)).status).toBe(202);
    await app.mailsTo('countess@example.com');
    expect((await ada.changePassword('a wrong password', NEXT)).status).toBe(401);
    await app.client().login('ada@example.com');
    expect((await ada.refresh()).status).toBe(200);
    expect(await row()).toEqual(before);
  });
});

test('a version that is a timestamp is set to the current time', async () => {
  await setUp(Dated);
  const { version } = await row('dated');
  expect((await ada.changePassword(PASSWORD, NEXT)).status).toBe(200);
  expect((await row('dated')).version.getTime()).toBeGreaterThan(version.getTime());
});
