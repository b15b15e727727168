import { defineEntity, type EntitySchema, p } from '@mikro-orm/core';

/** Name of the entity of unconfirmed sign-ups. */
export const PENDING_SIGN_UP_ENTITY = 'AuthPendingSignUp';

/**
 * Unconfirmed sign-ups with EMAIL_VERIFICATION=`mandatory`. A sign-up becomes a user when the link in its mail is
 * opened. An address can have several unconfirmed sign-ups. A row without a key can never become a user: the address
 * was taken at the sign-up, or a user has got it since.
 */
export function createPendingSignUpEntity(): EntitySchema {
  return defineEntity({
    name: PENDING_SIGN_UP_ENTITY,
    tableName: 'auth_pending_sign_up',
    properties: {
      /** Defines the order of sign-ups. */
      id: p.bigint().primary().autoincrement(),
      /** Normalised (`normalizeEmail`). */
      email: p.string().length(254),
      /** In PHC string format. Null: the sign-up has no password. */
      passwordHash: p.text().nullable(),
      /** The other fields of the sign-up. */
      fields: p.json<object>(),
      /** Work of a module that is done when the sign-up is confirmed (`SignInCompletion`). Null: none. */
      completion: p.json<object>().nullable(),
      /** SHA-256 of the mailed key, in base64url. Null: the sign-up cannot be confirmed. */
      keyHash: p.string().length(43).nullable().unique(),
      /** When the key of the latest mail expires. Null: together with the sign-up. */
      keyExpiresAt: p.datetime(3).nullable(),
      expiresAt: p.datetime(3),
      /** Null if an older version of the library made the row. */
      createdAt: p.datetime(3).nullable(),
      /** A description of the client (COLLECT_USER_AGENT), for the mail. */
      signedUpFrom: p.string().length(160).nullable(),
    },
    indexes: [{ properties: ['email', 'id'] }],
  });
}
