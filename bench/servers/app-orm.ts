import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Migrator } from '@mikro-orm/migrations';
import { defineConfig } from '@mikro-orm/postgresql';
import { authMigrations, BaseUser, createAuthEntities } from '../../src/index.js';
import { DATABASE_URL, POOL } from './serve.js';

@Entity({ tableName: 'users' })
export class AppUser extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @Property({ type: 'json', default: '[]' })
  permissions: string[] = [];
}

/** The app's ORM, for its server and for the command line. */
export const options = defineConfig({
  clientUrl: DATABASE_URL,
  pool: { max: POOL },
  entities: [AppUser, ...createAuthEntities({ user: () => AppUser })],
  extensions: [Migrator],
  migrations: { migrationsList: [...authMigrations()], snapshot: false, silent: true },
});
