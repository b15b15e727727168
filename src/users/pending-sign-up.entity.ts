import { defineEntity, type EntitySchema, p } from '@mikro-orm/core';

/** Name under which the ORM knows the sign-ups that wait for their mail to be opened. */
export const PENDING_SIGN_UP_ENTITY = 'AuthPendingSignUp';

/**
 * Sign-ups under EMAIL_VERIFICATION=`mandatory`. None is a user before its own mail is opened; several of one address
 * wait side by side. A row without a key can never become a user: the address was taken.
 */
export function createPendingSignUpEntity(): EntitySchema {
  return defineEntity({
    name: PENDING_SIGN_UP_ENTITY,
    tableName: 'auth_pending_sign_up',
    properties: {
      /** The order of the sign-ups. */
      id: p.bigint().primary().autoincrement(),
      /** In its normal form. */
      email: p.string().length(254),
      /** In PHC form. */
      passwordHash: p.text(),
      /** What else was given at the sign-up. */
      fields: p.json<object>(),
      /** SHA-256 of the mailed key, in base64url; null where no link was mailed. */
      keyHash: p.string().length(43).nullable().unique(),
      /** When the key of the latest mail ends; null: with the sign-up. */
      keyExpiresAt: p.datetime(3).nullable(),
      expiresAt: p.datetime(3),
      /** Null where an older version of the library stored it. */
      createdAt: p.datetime(3).nullable(),
      /** From where, in words (COLLECT_USER_AGENT). */
      signedUpFrom: p.string().length(160).nullable(),
    },
    indexes: [{ properties: ['email', 'id'] }],
  });
}
