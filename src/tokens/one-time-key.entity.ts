import { defineEntity, type EntityClass, type EntitySchema, p } from '@mikro-orm/core';
import type { BaseUser } from '../users/base-user.entity.js';

/** Name of the entity of mailed keys. */
export const ONE_TIME_KEY_ENTITY = 'AuthOneTimeKey';

/** The keys of mailed links and codes. The table has only their hashes, so that the keys cannot be read from it. */
export function createOneTimeKeyEntity(user: () => EntityClass<BaseUser>): EntitySchema {
  return defineEntity({
    name: ONE_TIME_KEY_ENTITY,
    tableName: 'auth_one_time_key',
    properties: {
      /** SHA-256 of the key, in base64url. */
      hash: p.string().length(43).primary(),
      purpose: p.string().length(24),
      user: () => p.manyToOne(user()).deleteRule('cascade'),
      /** The address to which the key was mailed. */
      email: p.string().length(254),
      expiresAt: p.datetime(3),
      /** Whether sign-ins of the user needed a second factor when the key was made (`EmailUndoService`). */
      hadSecondFactor: p.boolean().default(true),
    },
    uniques: [{ properties: ['user', 'purpose'] }],
    // Every sign-up checks whether its address is a former address of a user (`EmailOwnership.isReservedByUndo`).
    indexes: [{ properties: ['email'] }],
  });
}
