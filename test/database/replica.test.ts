import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { MikroORM } from '@mikro-orm/postgresql';
import { Authorized, CurrentUser, createExpressServer, Get, JsonController } from 'routing-controllers';
import { Service } from 'typedi';
import { expect, test } from 'vitest';
import { createAuthEntities, createJwtAllauth, LoadUser } from '../../src/index.js';
import { ownContainer } from '../support/containers.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { SECRET } from '../support/test-app.js';
import { PASSWORD, TestClient } from '../support/test-client.js';
import { createTestDatabase } from '../support/test-database.js';
import { AppUser, Organization } from '../support/users.js';

@Service()
@JsonController('/replica')
class ReplicaController {
  @Authorized()
  @LoadUser()
  @Get('/me')
  me(@CurrentUser() user: AppUser) {
    return { email: user.email };
  }
}

test('no decision depends on a replica that lags behind: a new user is recognised by every request', async () => {
  const primary = await createTestDatabase();
  const replica = await createTestDatabase(); // it has the tables, but no users yet
  const entities = [AppUser, Organization, ...createAuthEntities({ user: () => AppUser })];
  const clientUrl = primary.url;
  const orm = await MikroORM.init({
    entities,
    clientUrl,
    replicas: [{ dbName: new URL(replica.url).pathname.slice(1) }],
  });
  const lagging = await MikroORM.init({ entities, clientUrl: replica.url });
  for (const each of [orm, lagging]) await each.schema.create();
  const settings = {
    secretKey: SECRET,
    encryptionKeys: ENCRYPTION_KEY,
    development: true,
    userAttributes: { company: 'organization.name' },
  };
  const auth = await createJwtAllauth({ orm, settings, container: ownContainer('replica') });
  const server = createExpressServer(auth.serverOptions({ controllers: [ReplicaController] })).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new TestClient(
    `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    'cookie',
    'refresh_token',
  );
  try {
    expect(await orm.em.fork().count(AppUser), 'the app itself reads from the replica').toBe(0);
    expect((await client.register('ada@example.com')).status).toBe(201);
    expect(await orm.em.fork().findOne(AppUser, { email: 'ada@example.com' })).toBeNull();
    await primary.pool.query(`insert into organization (id, name) values (1, 'Engines')`);
    await primary.pool.query('update app_user set organization_id = 1');
    expect((await client.refresh()).status).toBe(200);
    expect(auth.tokens.verifyAccess(client.access)).toMatchObject({ company: 'Engines' });
    expect(await client.get('/replica/me')).toMatchObject({ status: 200, body: { email: 'ada@example.com' } });
    expect((await client.get('/auth/user')).status).toBe(200);
    expect((await client.send('PATCH', '/auth/user', { firstName: 'Ada' }, client.bearer)).status).toBe(200);
    expect((await client.changePassword(PASSWORD, 'quite another sentence to say')).status).toBe(200);
    await primary.pool.query('update app_user set is_active = false');
    await replica.pool.query(`insert into app_user select (json_populate_record(null::app_user, $1)).*`, [
      JSON.stringify({
        ...(await primary.pool.query('select * from app_user')).rows[0],
        is_active: true,
        organization_id: null,
        permissions: [],
      }),
    ]);
    expect(await orm.em.fork().count(AppUser, { isActive: true })).toBe(1);
    expect((await client.get('/replica/me')).status).toBe(401);
    expect((await client.get('/auth/user')).status).toBe(401);
  } finally {
    server.closeAllConnections();
    server.close();
    await auth.close();
    for (const each of [orm, lagging]) await each.close(true);
    for (const each of [primary, replica]) await each.drop();
  }
});
