import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { MikroORM } from '@mikro-orm/postgresql';
import { createExpressServer } from 'routing-controllers';
import { createAuthEntities, createJwtAllauth } from '../../src/index.js';
import { AppUser, Organization } from './users.js';

/** A server process of the app: told its settings as JSON, it tells its parent the port. */
const { databaseUrl, settings } = JSON.parse(process.argv[2] ?? '{}');
const orm = await MikroORM.init({
  clientUrl: databaseUrl,
  entities: [AppUser, Organization, ...createAuthEntities({ user: () => AppUser })],
});
const auth = await createJwtAllauth({ orm, settings });
const server = createExpressServer(auth.serverOptions()).listen(0, '127.0.0.1', () => {
  process.send?.((server.address() as AddressInfo).port);
});
process.once('disconnect', () => process.exit(0));
