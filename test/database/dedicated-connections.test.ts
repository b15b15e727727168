import { MikroORM } from '@mikro-orm/postgresql';
import { expect, test } from 'vitest';
import { Database } from '../../src/database/database.js';
import { createAuthEntities } from '../../src/index.js';
import { createTestDatabase } from '../support/test-database.js';
import { AppUser, Organization } from '../support/users.js';

test('a connection outside of the pool leads to the database of the pool, whichever option of the driver names it', async () => {
  const database = await createTestDatabase();
  const entities = [AppUser, Organization, ...createAuthEntities({ user: () => AppUser })];
  const driverOptions = { connectionString: database.url };
  const orm = await MikroORM.init({ entities, dbName: 'unused', driverOptions });
  const name = 'select current_database() as name';
  try {
    const connection = await new Database(orm).connect(5000);
    const [own] = await connection.query<{ name: string }>(name);
    connection.destroy();
    expect(own?.name).toBe(new URL(database.url).pathname.slice(1));
    expect(await orm.em.execute(name)).toEqual([own]);
  } finally {
    await orm.close(true);
    await database.drop();
  }
});
