import { defineEntity, type EntityClass, type EntitySchema, p } from '@mikro-orm/core';
import type { BaseUser } from '../../users/base-user.entity.js';

/** Name of the entity of sign-ins by mail. */
export const MAGIC_LINK_ENTITY = 'AuthMagicLink';

/**
 * The requests for a sign-in by mail: one row for an address, for the latest request. Request, link and code are stored
 * as hashes: they cannot be read from the table. An address to which nothing was mailed has a row as well, so that a
 * guessed code is answered in the same way.
 */
export function createMagicLinkEntity(user: () => EntityClass<BaseUser>): EntitySchema {
  return defineEntity({
    name: MAGIC_LINK_ENTITY,
    tableName: 'auth_magic_link',
    properties: {
      /** SHA-256 of the request, in base64url. The browser that asked has the request. */
      requestHash: p.string().length(43).primary(),
      /** SHA-256 of the key of the link, in base64url. */
      keyHash: p.string().length(43).unique(),
      /** A keyed hash of the request and the code. */
      codeHash: p.string().length(43),
      /** The address for which the mail was requested. */
      email: p.string().length(254).unique(),
      /** The user who had the address. Null: no user had it. */
      user: () => p.manyToOne(user()).nullable().updateRule('no action').deleteRule('cascade').index(),
      /** The credential epoch of the user. */
      credentialEpoch: p.integer(),
      /** The number of wrong codes, and of codes that are being checked. */
      attempts: p.smallint().default(0),
      expiresAt: p.datetime(3),
    },
  });
}
