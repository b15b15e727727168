import { type FindOneOptions, FlushMode, LoadStrategy, PopulateHint, wrap } from '@mikro-orm/core';
import type { BaseUser } from './base-user.entity.js';

/**
 * The one rule of every look-up that decides something: from the primary, not from a cache, without filters, in one query,
 * into the identity map of the EntityManager that asks, and without a flush of what that has not written yet. Whatever the
 * app's MikroORM options say, these stand.
 */
export const LOOK_UP = {
  connectionType: 'write',
  cache: false,
  filters: false,
  disableIdentityMap: false,
  flushMode: FlushMode.COMMIT,
  populateWhere: PopulateHint.ALL,
  strategy: LoadStrategy.JOINED,
} as const satisfies FindOneOptions<BaseUser>;

/** Loads relations of a user into the EntityManager that manages it. They lead to one row each. */
export async function loadRelations(user: BaseUser, relations: readonly string[]): Promise<void> {
  const em = wrap(user, true).__em;
  if (!em) throw new TypeError('the user is not managed by an EntityManager');
  const options = { ...LOOK_UP, populate: relations, refresh: true };
  await em.findOne(user.constructor as typeof BaseUser, { id: user.id }, options as never);
}
