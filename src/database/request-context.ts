import { RequestContext } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';

/**
 * The EntityManager of the current request, if there is one and it belongs to this ORM: two can share a process and a
 * name.
 */
export function requestEntityManager(orm: MikroORM): EntityManager | undefined {
  const em = RequestContext.getEntityManager(orm.em.name) as EntityManager | undefined;
  return em?.getDriver() === orm.em.getDriver() ? em : undefined;
}

/**
 * Runs `next` in a request context of MikroORM whose EntityManager is forked when somebody first asks for it: a request
 * that never touches the database does not pay for one.
 */
export function openRequestContext({ em }: MikroORM, next: () => void): void {
  RequestContext.create([], () => {
    const { map } = RequestContext.currentRequestContext() as RequestContext;
    let fork: EntityManager | undefined;
    let isForking = false;
    map.get = (name) => {
      if (name !== em.name || isForking) return undefined; // a new EntityManager asks for that of its context
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
