import { defineEntity, type EntitySchema, p } from '@mikro-orm/core';

/** Name under which the ORM knows the counters under limits. */
export const COUNTER_ENTITY = 'AuthCounter';

/** Counts of logins, mails, keys and sign-ups, by the keyed hash of what is counted: the table shows no address. */
export function createCounterEntity(): EntitySchema {
  return defineEntity({
    name: COUNTER_ENTITY,
    tableName: 'auth_counter',
    properties: {
      key: p.string().length(43).primary(),
      count: p.integer(),
      /** When the count starts anew. */
      resetsAt: p.datetime(3),
    },
  });
}
