import { Entity, ManyToOne, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { BaseUser, type ForUserOptions, RefreshToken } from '../../src/index.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { Organization } from '../support/users.js';

@Entity({ tableName: 'employee' })
class Employee extends BaseUser {
  @PrimaryKey({ type: 'integer' })
  override id!: number;

  @Property({ type: 'json', default: '[]' })
  permissions: string[] = [];

  @ManyToOne({ entity: () => Organization, nullable: true })
  organization?: Organization | null;
}

/** The user for whom the last session was opened. */
let given: Employee;

class Token extends RefreshToken {
  static override async forUser(user: Employee, options?: ForUserOptions) {
    given = user;
    const token = await super.forUser(user, options);
    token.payload.permissions = user.permissions;
    return token;
  }
}

let app: TestApp;
beforeAll(async () => {
  const settings = { refreshToken: Token, userAttributes: { company: 'organization.name' } };
  app = await createTestApp({ user: Employee, settings });
  await app.database.pool.query(`insert into organization (id, name) values (1, 'Analytical Engines')`);
});
beforeEach(async () => {
  await app.database.pool.query('delete from employee');
  await app.database.pool.query(`
    insert into employee (email, role, permissions, organization_id)
    values ('ada@example.com', 900, '["publish"]', 1)`);
});
afterAll(() => app.close());

const rows = async (columns: string) => (await app.database.pool.query(`select ${columns} from employee`)).rows;

test('unflushed changes of the app are kept, and written by its own flush', async () => {
  await app.orm.em.fork().transactional(async (em) => {
    const user = await em.findOneOrFail(Employee, { email: 'ada@example.com' }, { populate: ['organization'] });
    user.role = 0;
    user.permissions = [];
    if (user.organization) user.organization.name = 'Difference Engines';
    await app.auth.sessions.open(user, { em });
    expect([user.role, user.permissions, user.organization?.name]).toEqual([0, [], 'Difference Engines']);
    expect(given).not.toBe(user);
  });
  expect(await rows('role, permissions')).toEqual([{ role: 0, permissions: [] }]);
  expect((await app.database.pool.query('select name from organization')).rows).toEqual([
    { name: 'Difference Engines' },
  ]);
});

test('the tokens have what the transaction has written, and nothing unflushed', async () => {
  await app.database.pool.query(`update organization set name = 'Analytical Engines'`);
  const tokens = await app.orm.em.fork().transactional(async (em) => {
    const user = await em.findOneOrFail(Employee, { email: 'ada@example.com' });
    user.role = 700;
    await em.flush();
    user.permissions = ['not flushed'];
    return app.auth.sessions.open(user, { em });
  });
  expect(app.auth.tokens.verifyAccess(tokens.access)).toMatchObject({
    role: 700,
    permissions: ['publish'],
    company: 'Analytical Engines',
  });
});

test('an entity that the app has only loaded is not written, and a removed one stays removed', async () => {
  const em = app.orm.em.fork();
  const user = await em.findOneOrFail(Employee, { email: 'ada@example.com' });
  await app.database.pool.query('update employee set role = 700');
  const managed = () => [...em.getUnitOfWork().getIdentityMap().values()];
  const before = managed();
  await app.auth.sessions.open(user, { em });
  expect([user.role, managed()]).toEqual([900, before]);
  await em.flush();
  expect(await rows('role')).toEqual([{ role: 700 }]);
  em.remove(user);
  await app.auth.sessions.open(user, { em });
  await em.flush();
  expect(await rows('role')).toEqual([]);
});

test('ending sessions in the transaction of the app does not change its unit of work', async () => {
  await app.orm.em.fork().transactional(async (em) => {
    const user = await em.findOneOrFail(Employee, { email: 'ada@example.com' });
    const { access } = await app.auth.sessions.open(user, { em });
    user.role = 0;
    const { session, sub } = app.auth.tokens.verifyAccess(access);
    expect(await app.auth.sessions.revoke({ session, sub }, { em })).toBe(true);
    await app.auth.sessions.open(user, { em });
    expect(await app.auth.sessions.revokeAll(user.id, { em })).toBe(1);
    expect(user.role).toBe(0);
    const [{ role }] = await em.execute<[{ role: number }]>('select role from employee');
    expect(role).toBe(900);
  });
  expect(await rows('role')).toEqual([{ role: 0 }]);
});

test('a session is gone when the transaction of the app rolls back', async () => {
  const em = app.orm.em.fork();
  await em.begin();
  const user = await em.findOneOrFail(Employee, { email: 'ada@example.com' });
  await app.auth.sessions.open(user, { em });
  await em.rollback();
  expect(await app.liveSessions()).toBe(0);
});
