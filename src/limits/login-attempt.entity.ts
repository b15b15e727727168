import { defineEntity, type EntitySchema, p } from '@mikro-orm/core';

/** Name under which the ORM knows the counters of failed logins. */
export const LOGIN_ATTEMPT_ENTITY = 'AuthLoginAttempt';

/** Failed logins, counted by the hash of whom they are counted for: nobody's address can be read from this table. */
export function createLoginAttemptEntity(): EntitySchema {
  return defineEntity({
    name: LOGIN_ATTEMPT_ENTITY,
    tableName: 'auth_login_attempt',
    properties: {
      key: p.string().length(43).primary(),
      failures: p.integer(),
      /** When the count starts anew. */
      resetsAt: p.datetime(3),
    },
  });
}
