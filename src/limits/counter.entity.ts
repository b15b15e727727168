import { defineEntity, type EntitySchema, p } from '@mikro-orm/core';

/** Name of the entity of rate limit counters. */
export const COUNTER_ENTITY = 'AuthCounter';

/**
 * Counters for the limits of logins, mails, keys and sign-ups. A key is a keyed hash of what is counted, so that the
 * table contains no addresses.
 */
export function createCounterEntity(): EntitySchema {
  return defineEntity({
    name: COUNTER_ENTITY,
    tableName: 'auth_counter',
    properties: {
      key: p.string().length(43).primary(),
      count: p.integer(),
      /** When the count is reset to zero. */
      resetsAt: p.datetime(3),
    },
  });
}
