import { RequestContext } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';

/** The EntityManager of the current request, if there is one and it belongs to this ORM: two can share a process and a name. */
export function requestEntityManager(orm: MikroORM): EntityManager | undefined {
  const em = RequestContext.getEntityManager(orm.em.name) as EntityManager | undefined;
  return em?.getDriver() === orm.em.getDriver() ? em : undefined;
}
