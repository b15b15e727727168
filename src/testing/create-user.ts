import { randomUUID } from 'node:crypto';
import type { EntityClass, MikroORM } from '@mikro-orm/postgresql';
import type { BaseUser } from '../users/base-user.entity.js';
import { PasswordHasher } from '../users/password-hasher.js';

/** The properties of a new user: any property of the entity, and a plain password instead of its hash. */
export type NewUser<U extends BaseUser> = Partial<Omit<U, 'passwordHash'>> & { readonly password?: string };

/**
 * Creates a user in the database: active, with a unique confirmed address, and without a password, unless `data` says
 * otherwise. The input is not validated. A password costs the time of its hash.
 *
 * @param hasher the app's hasher, if it has its own
 */
export async function createUser<U extends BaseUser>(
  orm: MikroORM,
  userClass: EntityClass<U>,
  data: NewUser<U> = {},
  hasher = new PasswordHasher(),
): Promise<U> {
  const { password, ...properties } = data;
  const passwordHash = password === undefined ? null : await hasher.hash(password);
  const defaults = { email: `${randomUUID()}@example.com`, isActive: true, emailVerified: true };
  const em = orm.em.fork({ disableContextResolution: true });
  const user = em.create(userClass, { ...defaults, ...properties, passwordHash } as never);
  await em.persist(user).flush();
  return user;
}
