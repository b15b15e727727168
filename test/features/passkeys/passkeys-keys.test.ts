import { Migration, Migrator } from '@mikro-orm/migrations';
import { type EntityClass, MikroORM } from '@mikro-orm/postgresql';
import { expect, test } from 'vitest';
import { passkeysModule } from '../../../src/features/passkeys/index.js';
import { authMigrations, type BaseUser, createAuthEntities } from '../../../src/index.js';
import { addPasskey, createPasskeysApp, signIn } from '../../support/passkeys-app.js';
import { createTestDatabase } from '../../support/test-database.js';
import { AppUser, BigintUser, IntegerUser, Organization } from '../../support/users.js';

const modules = [passkeysModule];

test.each<[string, EntityClass<BaseUser>]>([
  ['uuid', AppUser],
  ['integer', IntegerUser],
  ['bigint', BigintUser],
])('the migration makes the tables of the entities, for users with a key of type %s', async (_type, user) => {
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
  await orm.migrator.down({ migrations: [passkeysModule.migrations?.[0]?.name ?? ''] });
  expect(await orm.schema.getUpdateSchemaSQL()).toMatch(/^(?=.*auth_passkey)(?=.*auth_used_passkey_challenge)/s);
  await orm.close(true);
  await database.drop();
});

test.each<[string, EntityClass<BaseUser>]>([
  ['integer', IntegerUser],
  ['bigint', BigintUser],
])('a passkey signs in a user with a key of type %s, and is removed', async (_type, user) => {
  const entities = [user, Organization, ...createAuthEntities({ user: () => user, modules })];
  const app = await createPasskeysApp({}, { user, orm: { entities } });
  const client = await app.signedUp('ada@example.com');
  const { authenticator, id } = await addPasskey(client);
  expect((await signIn(client, authenticator)).status).toBe(200);
  expect((await client.get('/auth/user')).body.email).toBe('ada@example.com');
  expect((await client.get('/auth/passkeys')).body).toMatchObject([{ id, isDisabled: false }]);
  expect((await client.send('DELETE', `/auth/passkeys/${id}`, undefined, client.bearer)).status).toBe(204);
  expect((await signIn(client, authenticator)).status).toBe(401);
  await app.close();
});
