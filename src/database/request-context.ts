import { RequestContext } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';

/**
 * The EntityManager of the current request. Undefined outside of a request, and if the context belongs to another ORM
 * of the process.
 */
export function requestEntityManager(orm: MikroORM): EntityManager | undefined {
  const em = RequestContext.getEntityManager(orm.em.name) as EntityManager | undefined;
  return em?.getDriver() === orm.em.getDriver() ? em : undefined;
}

/**
 * Runs `next` in a request context of MikroORM. The EntityManager is forked at its first use, so that a request without
 * queries does not pay for it.
 */
export function openRequestContext({ em }: MikroORM, next: () => void): void {
  RequestContext.create([], () => {
    const { map } = RequestContext.currentRequestContext() as RequestContext;
    let fork: EntityManager | undefined;
    let isForking = false;
    map.get = (name) => {
      if (name !== em.name || isForking) return undefined; // `em.fork` itself looks into the context
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
