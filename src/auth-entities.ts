import type { EntityClass, EntitySchema } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';
import { entityMetadata } from './database/table.js';
import { createCounterEntity } from './limits/counter.entity.js';
import { createOutboxMailEntity } from './mail/outbox-mail.entity.js';
import type { AuthModule } from './module.js';
import { createAuditEventEntity } from './observability/audit-event.entity.js';
import { createRevocationEntity } from './sessions/revocation.entity.js';
import { createSessionEntity, SESSION_ENTITY } from './sessions/session.entity.js';
import { createChallengeEntity } from './sign-in/challenge.entity.js';
import { createOneTimeKeyEntity } from './tokens/one-time-key.entity.js';
import { createAccountEntity } from './users/account.entity.js';
import type { BaseUser } from './users/base-user.entity.js';
import { createPendingSignUpEntity } from './users/pending-sign-up.entity.js';

/** Options of `createAuthEntities`. */
export interface AuthEntitiesOptions {
  /** Returns the app's user entity. A function, so that import order does not matter. */
  readonly user: () => EntityClass<BaseUser>;
  /**
   * The modules that the app uses. Pass the same modules to `authMigrations`, if you use it. `createJwtAllauth` and the
   * command line find them in the ORM.
   */
  readonly modules?: readonly AuthModule[];
}

/** The modules of each app, by its session entity. */
const modulesBySession = new WeakMap<object, readonly AuthModule[]>();

/** The modules that `createAuthEntities` got for the entities of this ORM. */
export function modulesOf(orm: MikroORM): readonly AuthModule[] {
  return modulesBySession.get(entityMetadata(orm.getMetadata(), SESSION_ENTITY).class) ?? [];
}

/**
 * Makes the entities of the library and of the app's modules. Add them to the `entities` of the MikroORM options, next
 * to the app's own. The tables: sessions (with a cascading foreign key to the app's user), recent revocations, counters
 * of rate limits, audit log, keys of mailed links, unsent mails, unconfirmed sign-ups, account states, and sign-ins
 * that wait for a second factor.
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
    createChallengeEntity(user),
    ...modules.flatMap(({ entities }) => entities?.(user) ?? []),
  ];
}
