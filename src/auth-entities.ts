import type { EntityClass, EntitySchema } from '@mikro-orm/core';
import { createCounterEntity } from './limits/counter.entity.js';
import { createOutboxMailEntity } from './mail/outbox-mail.entity.js';
import { createAuditEventEntity } from './observability/audit-event.entity.js';
import { createRevocationEntity } from './sessions/revocation.entity.js';
import { createSessionEntity } from './sessions/session.entity.js';
import { createOneTimeKeyEntity } from './tokens/one-time-key.entity.js';
import type { BaseUser } from './users/base-user.entity.js';
import { createPendingSignUpEntity } from './users/pending-sign-up.entity.js';

/** What `createAuthEntities` has to know of the app. */
export interface AuthEntitiesOptions {
  /** The app's user entity, behind a function so that import order does not matter. */
  readonly user: () => EntityClass<BaseUser>;
}

/**
 * The library's entities, to be listed beside the app's own in the MikroORM options: the whitelist of sessions, with a
 * cascading foreign key to the app's user, the sessions revoked lately, the counters of failed logins, the audit
 * log, the keys of mailed links, the mails that wait to be sent, and the sign-ups that wait to be confirmed.
 */
export function createAuthEntities({ user }: AuthEntitiesOptions): EntitySchema[] {
  return [
    createSessionEntity(user),
    createRevocationEntity(),
    createCounterEntity(),
    createAuditEventEntity(),
    createOneTimeKeyEntity(user),
    createOutboxMailEntity(),
    createPendingSignUpEntity(),
  ];
}
