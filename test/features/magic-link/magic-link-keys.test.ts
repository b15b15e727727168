import { Migration, Migrator } from '@mikro-orm/migrations';
import { type EntityClass, MikroORM } from '@mikro-orm/postgresql';
import { expect, test } from 'vitest';
import { magicLinkModule } from '../../../src/features/magic-link/index.js';
import { authMigrations, type BaseUser, createAuthEntities } from '../../../src/index.js';
import { createMagicLinkApp, mailedTo } from '../../support/magic-link-app.js';
import { createTestDatabase } from '../../support/test-database.js';
import { AppUser, BigintUser, IntegerUser, Organization } from '../../support/users.js';

const modules = [magicLinkModule];

test.each<[string, EntityClass<BaseUser>]>([
  ['uuid', AppUser],
  ['integer', IntegerUser],
  ['bigint', BigintUser],
])('the migration makes the table of the entity, for users with a key of type %s', async (_type, user) => {
  const database = await createTestDatabase();
  const own = { clientUrl: database.url, logger: () => {} };
  const before = await MikroORM.init({ ...own, entities: [user, Organization] });
  const sql = await before.schema.getCreateSchemaSQL({ wrap: false });
  await before.close(true);
  class CreateUsers extends Migration {
    override up(): void {
      this.addSql(sql);
    }
  }
  const orm = await MikroORM.init({
    ...own,
    entities: [user, Organization, ...createAuthEntities({ user: () => user, modules })],
    extensions: [Migrator],
    migrations: {
      migrationsList: [{ name: 'App_1', class: CreateUsers }, ...authMigrations(modules)],
      snapshot: false,
    },
  });
  await orm.migrator.up();
  expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
  await orm.migrator.down({ migrations: [magicLinkModule.migrations?.[0]?.name ?? ''] });
  expect(await orm.schema.getUpdateSchemaSQL()).toMatch(/^(?=.*auth_magic_link)/s);
  await orm.close(true);
  await database.drop();
});

test.each<[string, EntityClass<BaseUser>, string]>([
  ['integer', IntegerUser, 'integer_user'],
  ['bigint', BigintUser, 'bigint_user'],
])('link and code sign in a user with a key of type %s, in any case of the address', async (_type, user, table) => {
  const entities = [user, Organization, ...createAuthEntities({ user: () => user, modules })];
  const app = await createMagicLinkApp({ magicLinkSignUp: true }, { user, orm: { entities } });
  const first = await app.ask('  Ada@Example.COM ');
  const { code } = await mailedTo(app, 'ada@example.com');
  expect((await app.verify({ request: first.body.request, code })).status).toBe(200);
  const { link } = await app.mailed('ada@example.com');
  expect((await app.signIn(await app.cookieOf(link))).status).toBe(200);
  const { rows } = await app.database.pool.query(`select email from ${table}`);
  expect([rows, await app.liveSessions()]).toEqual([[{ email: 'ada@example.com' }], 2]);
  await app.close();
});
