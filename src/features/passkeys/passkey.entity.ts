import { defineEntity, type EntityClass, type EntitySchema, p } from '@mikro-orm/core';
import type { BaseUser } from '../../users/base-user.entity.js';

/** Names of the entities of this feature. */
export const PASSKEY_ENTITY = 'AuthPasskey';
export const USED_PASSKEY_CHALLENGE_ENTITY = 'AuthUsedPasskeyChallenge';

/** Maximum length of the id of a credential: 1023 bytes (WebAuthn level 3 §4), in base64url. */
export const MAX_CREDENTIAL_ID_LENGTH = 1364;

/** Maximum length of the name of a passkey, in characters. */
export const MAX_NAME_LENGTH = 64;

/** The passkeys of users (credential records, WebAuthn level 3 §4). */
export function createPasskeyEntity(user: () => EntityClass<BaseUser>): EntitySchema {
  return defineEntity({
    name: PASSKEY_ENTITY,
    tableName: 'auth_passkey',
    properties: {
      id: p.uuid().primary(),
      user: () => p.manyToOne(user()).updateRule('no action').deleteRule('cascade').index(),
      /** The id that the authenticator chose, in base64url. */
      credentialId: p.string().length(MAX_CREDENTIAL_ID_LENGTH).unique(),
      /** The id of the user that the authenticator stores with the passkey, in base64url. It has no meaning. */
      userHandle: p.string().length(86),
      /** A COSE key (RFC 9052). */
      publicKey: p.blob(),
      /** The last signature counter. 0 for an authenticator that does not count. */
      counter: p.bigint(),
      /** How browsers can reach the authenticator, such as `internal` or `hybrid`. */
      transports: p.array(),
      /** The model of the authenticator, such as a password manager. Zeros: not known. */
      aaguid: p.uuid(),
      name: p.string().length(MAX_NAME_LENGTH),
      /** Whether the passkey can be on several devices, and whether it was when it was last used. */
      isBackupEligible: p.boolean(),
      isBackedUp: p.boolean(),
      /**
       * The address of the user that was proved when it was added. Null: none was. A password reset by another address
       * removes it.
       */
      provedEmail: p.string().length(254).nullable(),
      /** The domain for which it was made (RP ID). For another one, browsers do not offer it. */
      rpId: p.string().length(253),
      createdAt: p.datetime(3),
      lastUsedAt: p.datetime(3).nullable(),
      /** When its counter went back. */
      disabledAt: p.datetime(3).nullable(),
    },
  });
}

/** Challenges that were used. Each is good once. Challenges that were not used are not stored. */
export function createUsedPasskeyChallengeEntity(): EntitySchema {
  return defineEntity({
    name: USED_PASSKEY_CHALLENGE_ENTITY,
    tableName: 'auth_used_passkey_challenge',
    properties: {
      /** SHA-256 of the challenge, in base64url. */
      hash: p.string().length(43).primary(),
      expiresAt: p.datetime(3),
    },
  });
}
