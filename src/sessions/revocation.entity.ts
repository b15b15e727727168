import { defineEntity, type EntitySchema, p } from '@mikro-orm/core';

/** Name of the entity of revocations. */
export const REVOCATION_ENTITY = 'AuthRevocation';

/**
 * The table of ended sessions whose access tokens may not have expired yet. Servers read what is new several times a
 * second. `revokedAt` is the first column of the primary key, because servers read the rows in the order of time.
 */
export function createRevocationEntity(): EntitySchema {
  return defineEntity({
    name: REVOCATION_ENTITY,
    tableName: 'auth_revocation',
    properties: {
      revokedAt: p.datetime(3).primary(),
      session: p.uuid().primary(),
    },
  });
}
