import { defineEntity, type EntitySchema, p } from '@mikro-orm/core';

/** Name under which the ORM knows the audit log. */
export const AUDIT_EVENT_ENTITY = 'AuthAuditEvent';

/** The audit log (AUDIT_LOG): a row for each event, which outlives the user and the session that it tells of. */
export function createAuditEventEntity(): EntitySchema {
  return defineEntity({
    name: AUDIT_EVENT_ENTITY,
    tableName: 'auth_audit_event',
    properties: {
      id: p.uuid().primary(),
      at: p.datetime(3),
      /** Name of the event, such as `session.revoked`. */
      event: p.string().length(40),
      /** Key of the user, as a string; null where nobody is known. */
      user: p.string().length(64).fieldName('user_id').nullable(),
      session: p.uuid().nullable(),
      /** What else the event tells, as JSON. */
      details: p.json(),
    },
    indexes: [{ properties: ['user', 'at'] }],
  });
}
