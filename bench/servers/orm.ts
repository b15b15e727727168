import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Migrator } from '@mikro-orm/migrations';
import { defineConfig, MikroORM } from '@mikro-orm/postgresql';
import { createExpressServer, Get, JsonController } from 'routing-controllers';
import { DATABASE_URL, PERMISSIONS, POOL, serve } from './serve.js';

const imported = performance.now();

@Entity({ tableName: 'users' })
class User {
  @PrimaryKey({ type: 'uuid' })
  id: string = randomUUID();

  @Property({ type: 'text' })
  email = '';
}

@JsonController('/profile')
class ProfileController {
  @Get('/id')
  id() {
    return { id: 'e7a1c9d2-0f43-4b6e-9f0a-6d1f5b8e2c34', permissions: PERMISSIONS };
  }
}

/** Only routing-controllers and MikroORM: what an app with this library needs anyway. */
const pool = { max: POOL };
await MikroORM.init(defineConfig({ clientUrl: DATABASE_URL, pool, entities: [User], extensions: [Migrator] }));
const app = createExpressServer({ controllers: [ProfileController] });
serve(app, { get: { path: '/profile/id', users: [{}] }, start: { imported, created: performance.now() } });
