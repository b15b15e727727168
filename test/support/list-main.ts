import 'reflect-metadata';
import { MikroORM } from '@mikro-orm/postgresql';
import { createAuthEntities, createJwtAllauth } from '../../src/index.js';
import { AppUser, Organization } from './users.js';

/** A process that only starts the library, and then has nothing left to do. */
const { databaseUrl, settings } = JSON.parse(process.argv[2] ?? '{}');
const orm = await MikroORM.init({
  clientUrl: databaseUrl,
  entities: [AppUser, Organization, ...createAuthEntities({ user: () => AppUser })],
});
await createJwtAllauth({ orm, settings });
process.send?.('ready');
