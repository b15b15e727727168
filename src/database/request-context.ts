import { RequestContext } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';

/**
 * The EntityManager of the current request. Undefined outside of a request, and if the context belongs to another
 * MikroORM instance of this process.
 */
export function requestEntityManager(orm: MikroORM): EntityManager | undefined {
  const em = RequestContext.getEntityManager(orm.em.name) as EntityManager | undefined;
  return em?.getDriver() === orm.em.getDriver() ? em : undefined;
}

/**
 * Runs `next` in a request context of MikroORM. The EntityManager is forked at its first use, so that a request without
 * queries does not pay for the fork.
 */
export function openRequestContext({ em }: MikroORM, next: () => void): void {
  RequestContext.create([], () => {
    const { map } = RequestContext.currentRequestContext() as RequestContext;
    let fork: EntityManager | undefined;
    let isForking = false;
    // MikroORM looks up the EntityManager of a request in this map, and `em.fork` does so too.
    map.get = (name) => {
      if (name !== em.name || isForking) return undefined;
      if (!fork) {
        isForking = true;
        try {
          fork = em.fork({ useContext: true, disableContextResolution: true });
        } finally {
          isForking = false;
        }
      }
      return fork;
    };
    next();
  });
}
