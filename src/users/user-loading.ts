import { type EntityManager, type FindOneOptions, FlushMode, LoadStrategy, PopulateHint, wrap } from '@mikro-orm/core';
import type { BaseUser } from './base-user.entity.js';

/**
 * The options of every query for a user on which a decision depends. They override the app's MikroORM options: the
 * query goes to the primary server, without cache, filters and relations. The result goes into the identity map of the
 * EntityManager, and the query does not flush the app's changes. (`Database` runs SQL and needs no such options.)
 */
const FIND_OPTIONS = {
  connectionType: 'write',
  cache: false,
  filters: false,
  populate: false,
  populateWhere: PopulateHint.ALL,
  disableIdentityMap: false,
  flushMode: FlushMode.COMMIT,
} as const satisfies FindOneOptions<BaseUser>;

/**
 * The options to find a user with `em`, which may be the app's EntityManager. Even if the app has set another schema on
 * `em`, the query uses the same user table as the library's statements.
 */
export function findUserOptions(em: EntityManager): typeof FIND_OPTIONS & { readonly schema?: string } {
  if (em.schema === undefined) return FIND_OPTIONS;
  return { ...FIND_OPTIONS, schema: em.config.get('schema') ?? em.getPlatform().getDefaultSchemaName() };
}

/** Reads a user again, with some to-one relations. */
export async function reloadWithRelations(user: BaseUser, relations: readonly string[]): Promise<BaseUser> {
  const em = wrap(user, true).__em?.fork({ keepTransactionContext: true, disableContextResolution: true });
  if (!em) throw new TypeError('the user is not managed by an EntityManager');
  const options = { ...findUserOptions(em), populate: relations, strategy: LoadStrategy.JOINED };
  const found = await em.findOne(user.constructor as typeof BaseUser, { id: user.id }, options as never);
  return found ?? user;
}

/**
 * Loads the eager relations of the app's user entity into the identity map of `em`, with the app's filters, and without
 * flushing the app's changes. `em.populate` has no flush mode option, and changing the mode of `em` would affect
 * parallel queries of the app. So this uses a fork that shares the entities and the transaction.
 */
export async function loadEagerRelations(em: EntityManager, user: BaseUser): Promise<void> {
  const fork = em.fork({ clear: false, keepTransactionContext: true, flushMode: FlushMode.COMMIT });
  await fork.populate(user, []);
  const known = em.getUnitOfWork().getIdentityMap();
  for (const entity of fork.getUnitOfWork().getIdentityMap()) {
    if (known.getByEntity(entity)) continue;
    known.store(entity);
    wrap(entity, true).__em = em;
  }
}
