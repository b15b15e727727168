import { defineEntity, type EntityClass, type EntitySchema, p } from '@mikro-orm/core';
import type { BaseUser } from '../users/base-user.entity.js';

/** Name under which the ORM knows the whitelist. */
export const SESSION_ENTITY = 'AuthSession';

/**
 * The whitelist: one row a login, which says what its live refresh token is. Rotation rewrites the row in place, and no
 * index names a column that it writes, so that PostgreSQL need not touch an index (HOT update).
 */
export function createSessionEntity(user: () => EntityClass<BaseUser>): EntitySchema {
  return defineEntity({
    name: SESSION_ENTITY,
    tableName: 'auth_session',
    properties: {
      id: p.uuid().primary(),
      user: () => p.manyToOne(user()).deleteRule('cascade').index(),
      /** Id of the live refresh token. */
      jti: p.uuid(),
      /** Id of its parent, which REFRESH_REUSE_GRACE still honours for a moment. */
      previousJti: p.uuid().nullable(),
      /** When the live token was made; at first, when the session was opened. */
      rotatedAt: p.datetime(3),
      /** When its parent was made; null until the first rotation. */
      previousRotatedAt: p.datetime(3).nullable(),
      /**
       * Where the live token was rotated from: 64 bits of a keyed hash of network and user agent; null where that is
       * not known.
       */
      rotatedFrom: p.bigint().nullable(),
      /** Whether the parent came again from elsewhere since the last rotation. */
      isFollowed: p.boolean().default(false),
      /** In how many generations in a row before this one the parent did so. */
      followedGenerations: p.smallint().default(0),
      /** False once the session was revoked. The row stays until it expires, to tell a late token what happened. */
      enabled: p.boolean().default(true),
      createdAt: p.datetime(3),
      /** When the live token expires. */
      expiresAt: p.datetime(3),
      /** Whence it was last used, and with what (COLLECT_USER_AGENT); null where that is not collected or not known. */
      ip: p.string().length(45).nullable(),
      browser: p.string().length(64).nullable(),
      os: p.string().length(64).nullable(),
      device: p.string().length(64).nullable(),
      /** How the user proved who they are (RFC 8176). This and the next two are written once, at the opening. */
      amr: p.array().defaultRaw("'{}'"),
      /** When the user last proved it; null in a session that an older version has opened: at `createdAt` then. */
      authTime: p.datetime(3).nullable(),
      /** Claims that stand in every token of the session. */
      claims: p.json().nullable(),
    },
  });
}
