import { defineEntity, type EntitySchema, p } from '@mikro-orm/core';

/** Name of the entity of rate limit counters. */
export const COUNTER_ENTITY = 'AuthCounter';

/**
 * The counters of all rate limits, and the marks of known networks (`Counters`). The key of a row is a keyed hash of
 * what the row is about, so that the table contains no addresses.
 */
export function createCounterEntity(): EntitySchema {
  return defineEntity({
    name: COUNTER_ENTITY,
    tableName: 'auth_counter',
    properties: {
      key: p.string().length(43).primary(),
      count: p.integer(),
      /** When counting starts again, or until when a mark is set. */
      resetsAt: p.datetime(3),
    },
  });
}
