import { defineEntity, type EntityClass, type EntitySchema, p } from '@mikro-orm/core';
import type { BaseUser } from './base-user.entity.js';

/** Name under which the ORM knows the state of accounts. */
export const ACCOUNT_ENTITY = 'AuthAccount';

/** `invited`: mailed an invitation, and never signed in. `in_use`: every other user. */
export type AccountState = 'invited' | 'in_use';

/**
 * What the library knows of a user beside the app's own row. A user without a row is in use, with epoch 0: the app may
 * insert users itself.
 */
export function createAccountEntity(user: () => EntityClass<BaseUser>): EntitySchema {
  return defineEntity({
    name: ACCOUNT_ENTITY,
    tableName: 'auth_account',
    properties: {
      user: () => p.manyToOne(user()).primary().updateRule('no action').deleteRule('cascade'),
      /** An `AccountState`. */
      state: p.string().length(16),
      /** Until when the invitation is good; null for a user who was not invited. */
      invitationExpiresAt: p.datetime(3).nullable(),
      /** How often the credentials have changed. */
      credentialEpoch: p.integer().default(0),
    },
  });
}
