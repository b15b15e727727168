import { randomUUID } from 'node:crypto';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { type EntityClass, MikroORM, type Options } from '@mikro-orm/postgresql';
import { Container } from 'typedi';
import { expect, test } from 'vitest';
import { BaseUser, createAuthEntities, createJwtAllauth } from '../src/index.js';
import { SECRET } from './support/test-app.js';
import { AppUser, Organization } from './support/users.js';

/** Starts the library without a database, and ends. */
async function start(user: EntityClass<BaseUser>, options: Options = {}): Promise<void> {
  const entities = [user, Organization, ...createAuthEntities({ user: () => user })];
  const orm = await MikroORM.init({ clientUrl: 'postgresql://127.0.0.1:1/nowhere', entities, ...options });
  try {
    const settings = { secretKey: SECRET };
    const auth = await createJwtAllauth({ orm, settings, container: Container.of(randomUUID()) });
    await auth.close();
  } finally {
    await orm.close(true);
  }
}

@Entity({ tableName: 'numbered' })
class Numbered extends BaseUser {
  declare id: number;

  @PrimaryKey({ type: 'integer' })
  number!: number;
}

@Entity({ tableName: 'member' })
class TenantMember extends BaseUser {
  @PrimaryKey({ type: 'integer' })
  override id!: number;

  @PrimaryKey({ type: 'integer' })
  tenant!: number;
}

@Entity({ tableName: 'anywhere', schema: '*' })
class Anywhere extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();
}

@Entity({ tableName: 'narrow' })
class Narrow extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @Property({ type: 'string', length: 60, nullable: true, lazy: true, hidden: true })
  override passwordHash?: string | null;
}

@Entity({ tableName: 'legacy' })
class Legacy extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @Property({ columnType: 'varchar(96)', type: 'string', nullable: true, lazy: true, hidden: true })
  override passwordHash?: string | null;
}

@Entity({ tableName: 'wide' })
class Wide extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @Property({ type: 'string', length: 97, nullable: true, lazy: true, hidden: true })
  override passwordHash?: string | null;
}

test.each<[string, EntityClass<BaseUser>, RegExp]>([
  ['a key of another name', Numbered, /The user entity Numbered .* primary key is \(number\), and must be one column/],
  ['a key of two columns', TenantMember, /TenantMember .* primary key is \(id, tenant\), and must be one column/],
  ['no schema that could be known', Anywhere, /Anywhere .* schema is "\*" and the MikroORM options have no "schema"/],
  ['a password hash that is too short', Narrow, /Narrow .* "passwordHash" holds 60 characters, and a hash has 97/],
  ['the same by its column', Legacy, /Legacy .* "passwordHash" holds 96 characters, and a hash has 97/],
])('a user entity with %s stops the start', async (_what, user, found) => {
  await expect(start(user)).rejects.toThrow(found);
});

test.each<[string, EntityClass<BaseUser>, Options?]>([
  ['with the schema of the options', Anywhere, { schema: 'people' }],
  ['with a hash column that is just long enough', Wide],
  ['as in the README', AppUser],
])('a user entity %s is taken', async (_what, user, options) => {
  await expect(start(user, options)).resolves.toBeUndefined();
});
