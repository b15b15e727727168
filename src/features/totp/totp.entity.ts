import { defineEntity, type EntityClass, type EntitySchema, p } from '@mikro-orm/core';
import type { BaseUser } from '../../users/base-user.entity.js';

/** Name of the entity of TOTP secrets. */
export const TOTP_ENTITY = 'AuthTotp';

/** The TOTP secrets of users, with the recovery codes: one row for each user. */
export function createTotpEntity(user: () => EntityClass<BaseUser>): EntitySchema {
  return defineEntity({
    name: TOTP_ENTITY,
    tableName: 'auth_totp',
    properties: {
      user: () => p.manyToOne(user()).primary().updateRule('no action').deleteRule('cascade'),
      /** The secret in base32, encrypted with ENCRYPTION_KEYS. */
      secret: p.text(),
      /** The time step of the last code that was used. This code and older ones are refused. */
      lastStep: p.integer().default(0),
      /** Keyed hashes of the unused recovery codes. */
      recoveryCodes: p.array().defaultRaw("'{}'"),
      /** When a secret expires that was not confirmed. Null once it is confirmed. */
      expiresAt: p.datetime(3).nullable(),
      /** When the secret was confirmed, and when the recovery codes were made. Null while a secret is not confirmed. */
      confirmedAt: p.datetime(3).nullable(),
      recoveryCodesAt: p.datetime(3).nullable(),
    },
  });
}
