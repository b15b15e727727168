import { defineEntity, type EntitySchema, p } from '@mikro-orm/core';

/** Name of the entity of the audit log. */
export const AUDIT_EVENT_ENTITY = 'AuthAuditEvent';

/**
 * The audit log (AUDIT_LOG): one row for each event that `Journal.record` gets. A row stays when its user and its
 * session are deleted.
 */
export function createAuditEventEntity(): EntitySchema {
  return defineEntity({
    name: AUDIT_EVENT_ENTITY,
    tableName: 'auth_audit_event',
    properties: {
      id: p.uuid().primary(),
      at: p.datetime(3),
      /** Name of the event, such as `session.revoked`. */
      event: p.string().length(40),
      /** Key of the user, as a string; null if the user is not known. */
      user: p.string().length(64).fieldName('user_id').nullable(),
      session: p.uuid().nullable(),
      /** The other properties of the event, as JSON. */
      details: p.json(),
    },
    indexes: [{ properties: ['user', 'at'] }],
  });
}
