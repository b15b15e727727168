import { defineEntity, type EntityClass, type EntitySchema, p } from '@mikro-orm/core';
import type { BaseUser } from '../users/base-user.entity.js';

/** Name of the entity of sessions. */
export const SESSION_ENTITY = 'AuthSession';

/**
 * The whitelist of refresh tokens: one row for each session, with the id of its live refresh token. A rotation updates
 * the row. No index contains a column that rotation writes, so that PostgreSQL does not need to update indexes (HOT
 * update).
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
      /** Id of the parent: the previous token, which is still accepted within REFRESH_REUSE_GRACE. */
      previousJti: p.uuid().nullable(),
      /** When the live token was issued: at the last rotation, or else when the session was opened. */
      rotatedAt: p.datetime(3),
      /** When the parent was issued. Null before the first rotation. */
      previousRotatedAt: p.datetime(3).nullable(),
      /** The origin of the last rotation (`RotationOrigins`). Null if it is not known. */
      rotatedFrom: p.bigint().nullable(),
      /** Whether the parent was presented again from a different origin since the last rotation. */
      isFollowed: p.boolean().default(false),
      /** In how many consecutive generations before this one that has happened. */
      followedGenerations: p.smallint().default(0),
      /** False: the session was ended. The row stays until it expires, for the error of tokens that come later. */
      enabled: p.boolean().default(true),
      createdAt: p.datetime(3),
      /** When the live token expires. */
      expiresAt: p.datetime(3),
      /** The client of the last refresh or of the sign-in (COLLECT_USER_AGENT). Null: not collected, or not known. */
      ip: p.string().length(45).nullable(),
      browser: p.string().length(64).nullable(),
      os: p.string().length(64).nullable(),
      device: p.string().length(64).nullable(),
      /** How the user authenticated (RFC 8176). A new proof adds to it. Rotations keep this and the next two. */
      amr: p.array().defaultRaw("'{}'"),
      /** When the user last authenticated. Null in sessions of older versions; `createdAt` counts then. */
      authTime: p.datetime(3).nullable(),
      /** Claims that are in every token of the session, written once. Null: no claims. */
      claims: p.json().nullable(),
      /** The thumbprint of the key to which the session is bound (RFC 7638). Set once. Null: it is not bound. */
      keyThumbprint: p.string().length(43).nullable(),
      /** The stamps of the proofs with which it was refreshed last, highest first. Null before the first one. */
      proofs: p.array().columnType('bigint[]').nullable(),
    },
  });
}
