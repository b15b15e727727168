import { type EntityManager, type FindOneOptions, FlushMode, LoadStrategy, PopulateHint, wrap } from '@mikro-orm/core';
import type { BaseUser } from './base-user.entity.js';

/**
 * The one rule of every look-up that decides something: from the primary, not from a cache, without filters, without
 * what hangs on the user, into the identity map of the EntityManager that asks, and without a flush of what that has
 * not written. Whatever the app's MikroORM options say, these stand. Statements through `Database` know no such options
 * at all.
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
 * The options of a look-up by `em`, which may be the app's. The user is the one in the table that every statement of
 * ours names, also where the app has given its EntityManager another schema.
 */
export function findUserOptions(em: EntityManager): typeof FIND_OPTIONS & { readonly schema?: string } {
  if (em.schema === undefined) return FIND_OPTIONS;
  return { ...FIND_OPTIONS, schema: em.config.get('schema') ?? em.getPlatform().getDefaultSchemaName() };
}

/** The user as read once more, together with relations that lead to one row each. */
export async function reloadWithRelations(user: BaseUser, relations: readonly string[]): Promise<BaseUser> {
  const em = wrap(user, true).__em?.fork({ keepTransactionContext: true, disableContextResolution: true });
  if (!em) throw new TypeError('the user is not managed by an EntityManager');
  const options = { ...findUserOptions(em), populate: relations, strategy: LoadStrategy.JOINED };
  const found = await em.findOne(user.constructor as typeof BaseUser, { id: user.id }, options as never);
  return found ?? user;
}

/**
 * Loads the relations that the app's entity always brings, by the app's own filters, into the identity map of `em`, and
 * without a flush of what that has not written. `em.populate` takes no flush mode, and a query of the app beside it has
 * to keep its own: so a fork asks, which shares the entities and the transaction.
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
