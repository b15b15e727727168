import { defineEntity, type EntitySchema, p } from '@mikro-orm/core';

/** Name of the entity of revocations. */
export const REVOCATION_ENTITY = 'AuthRevocation';

/**
 * Ended sessions whose access tokens may not have expired yet. Servers read it when they start or reconnect. The
 * instant is the first column of the primary key, because rows are read and purged in this order.
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
