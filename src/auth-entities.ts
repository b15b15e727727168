import type { EntityClass, EntitySchema } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';
import { entityMetadata } from './database/table.js';
import { createCounterEntity } from './limits/counter.entity.js';
import { createOutboxMailEntity } from './mail/outbox-mail.entity.js';
import type { AuthModule } from './module.js';
import { createAuditEventEntity } from './observability/audit-event.entity.js';
import { createRevocationEntity } from './sessions/revocation.entity.js';
import { createSessionEntity, SESSION_ENTITY } from './sessions/session.entity.js';
import { createOneTimeKeyEntity } from './tokens/one-time-key.entity.js';
import { createAccountEntity } from './users/account.entity.js';
import type { BaseUser } from './users/base-user.entity.js';
import { createPendingSignUpEntity } from './users/pending-sign-up.entity.js';

/** What `createAuthEntities` has to know of the app. */
export interface AuthEntitiesOptions {
  /** The app's user entity, behind a function so that import order does not matter. */
  readonly user: () => EntityClass<BaseUser>;
  /** The modules that the app switches on. This is the place where it names them: others find them by the ORM. */
  readonly modules?: readonly AuthModule[];
}

/** The modules of each whitelist, by its class. */
const modulesBySession = new WeakMap<object, readonly AuthModule[]>();

/** The modules that were named when the entities of an ORM were made. */
export function modulesOf(orm: MikroORM): readonly AuthModule[] {
  return modulesBySession.get(entityMetadata(orm.getMetadata(), SESSION_ENTITY).class) ?? [];
}

/**
 * The library's entities, to be listed beside the app's own in the MikroORM options: the whitelist of sessions, with a
 * cascading foreign key to the app's user, the sessions revoked lately, the counters of failed logins, the audit
 * log, the keys of mailed links, the mails that wait to be sent, the sign-ups that wait to be confirmed, the state of
 * accounts, and those of the app's modules.
 */
export function createAuthEntities({ user, modules = [] }: AuthEntitiesOptions): EntitySchema[] {
  const session = createSessionEntity(user);
  modulesBySession.set(session.meta.class, modules);
  return [
    session,
    createRevocationEntity(),
    createCounterEntity(),
    createAuditEventEntity(),
    createOneTimeKeyEntity(user),
    createOutboxMailEntity(),
    createPendingSignUpEntity(),
    createAccountEntity(user),
    ...modules.flatMap(({ entities }) => entities?.(user) ?? []),
  ];
}
