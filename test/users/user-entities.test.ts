import { randomUUID } from 'node:crypto';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { type EntityClass, MikroORM, type Options } from '@mikro-orm/postgresql';
import { Container } from 'typedi';
import { expect, test } from 'vitest';
import { BaseUser, createAuthEntities, createJwtAllauth } from '../../src/index.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { Anywhere, Legacy, Narrow, Numbered, Roleless, Staff, TenantMember } from '../support/odd-users.js';
import { runInProcess, SOURCE_ORM } from '../support/run-in-process.js';
import { SECRET } from '../support/test-app.js';
import { AppUser, Organization } from '../support/users.js';

/** Starts the library without a database, and stops it. */
async function start(user: EntityClass<BaseUser>, options: Options = {}): Promise<void> {
  const entities = [user, Organization, ...createAuthEntities({ user: () => user })];
  const orm = await MikroORM.init({ clientUrl: 'postgresql://127.0.0.1:1/nowhere', entities, ...options });
  try {
    const settings = { secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY };
    const auth = await createJwtAllauth({ orm, settings, container: Container.of(randomUUID()) });
    await auth.close();
  } finally {
    await orm.close(true);
  }
}

/** What `check` prints about the ORM that cli-orm.ts exports by a name, without a database. */
async function projectFinding(name: string): Promise<unknown> {
  const env = {
    DATABASE_URL: 'postgresql://127.0.0.1:1/nowhere',
    JWT_ALLAUTH_SECRET_KEY: SECRET,
    JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY,
  };
  const { stdout } = await runInProcess(['check', '--json', '--orm', `${SOURCE_ORM}#${name}`], env);
  return JSON.parse(stdout).checks.find((finding: { name: string }) => finding.name === 'project');
}

@Entity({ tableName: 'wide' })
class Wide extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @Property({ type: 'string', length: 97, nullable: true, lazy: true, hidden: true })
  override passwordHash?: string | null;
}

test.each<[string, EntityClass<BaseUser>, RegExp]>([
  ['a key of another name', Numbered, /The user entity Numbered .* primary key is \(number\), but must be one column/],
  ['a key of two columns', TenantMember, /TenantMember .* primary key is \(id, tenant\), but must be one column/],
  ['columns in two tables', Staff, /Staff .* not all of its columns are in the table "staff" \(TPT inheritance\)$/],
  ['no schema that could be known', Anywhere, /Anywhere .* schema is "\*" and the MikroORM options have no "schema"/],
  ['a password hash that is too short', Narrow, /Narrow .* "passwordHash" has 60 characters, but a hash needs 97/],
  ['the same by its column', Legacy, /Legacy .* "passwordHash" has 96 characters, but a hash needs 97/],
  ['properties without a column', Roleless, /Roleless .* "role", "lastName" must be stored in a column/],
])('a user entity with %s stops the start, and `check` reports the same', async (_what, user, found) => {
  const { message } = await start(user).then(
    () => expect.unreachable(),
    (error: Error) => error,
  );
  expect(message).toMatch(found);
  expect(await projectFinding(`of${user.name}`)).toEqual({ name: 'project', status: 'failed', message });
});

test('`check` accepts the schema "*" if the MikroORM options name one, as the start does', async () => {
  const message = 'the ORM knows Anywhere and the entities of the library';
  expect(await projectFinding('ofAnywhereInPeople')).toEqual({ name: 'project', status: 'ok', message });
});

test.each<[string, EntityClass<BaseUser>, Options?]>([
  ['with the schema of the options', Anywhere, { schema: 'people' }],
  ['with a hash column that is just long enough', Wide],
  ['as in the README', AppUser],
])('a user entity %s is accepted', async (_what, user, options) => {
  await expect(start(user, options)).resolves.toBeUndefined();
});
