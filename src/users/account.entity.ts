import { defineEntity, type EntityClass, type EntitySchema, p } from '@mikro-orm/core';
import type { BaseUser } from './base-user.entity.js';

/** Name of the entity of account states. */
export const ACCOUNT_ENTITY = 'AuthAccount';

/**
 * `invited`: the user was invited. Since then the user has not signed in, and `Accounts` has recorded no credential
 * change. `in_use`: every other user.
 */
export type AccountState = 'invited' | 'in_use';

/**
 * The account state of users, which is not in the app's user table. A user without a row is `in_use` with credential
 * epoch 0 and no second factor, so that the app can insert users itself.
 */
export function createAccountEntity(user: () => EntityClass<BaseUser>): EntitySchema {
  return defineEntity({
    name: ACCOUNT_ENTITY,
    tableName: 'auth_account',
    properties: {
      user: () => p.manyToOne(user()).primary().updateRule('no action').deleteRule('cascade'),
      /** An `AccountState`. */
      state: p.string().length(16),
      /** When the invitation expires; null for a user who was not invited. */
      invitationExpiresAt: p.datetime(3).nullable(),
      /** The number of credential changes. See `Accounts`. */
      credentialEpoch: p.integer().default(0),
      /** The names of the second factors that the user has, such as `totp`. */
      secondFactors: p.array().defaultRaw("'{}'"),
    },
  });
}
