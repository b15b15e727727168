import { defineEntity, type EntitySchema, p } from '@mikro-orm/core';

/** Name under which the ORM knows the sessions whose access tokens must not be believed any more. */
export const REVOCATION_ENTITY = 'AuthRevocation';

/**
 * Sessions that were ended while access tokens of theirs were still good: what a server reads that starts, or that lost
 * its connection. The instant comes first in the key, because they are read and purged in its order.
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
