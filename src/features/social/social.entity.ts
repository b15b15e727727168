import { defineEntity, type EntityClass, type EntitySchema, p } from '@mikro-orm/core';
import type { BaseUser } from '../../users/base-user.entity.js';

/** Names of the entities of this feature. */
export const SOCIAL_ACCOUNT_ENTITY = 'AuthSocialAccount';
export const SOCIAL_STATE_ENTITY = 'AuthSocialState';
export const SOCIAL_EXCHANGE_ENTITY = 'AuthSocialExchange';
export const SOCIAL_USED_TOKEN_ENTITY = 'AuthSocialUsedToken';

/** Accounts of providers that are connected to users. */
export function createSocialAccountEntity(user: () => EntityClass<BaseUser>): EntitySchema {
  return defineEntity({
    name: SOCIAL_ACCOUNT_ENTITY,
    tableName: 'auth_social_account',
    properties: {
      id: p.uuid().primary(),
      user: () => p.manyToOne(user()).updateRule('no action').deleteRule('cascade').index(),
      /** The id of the provider in the app. */
      provider: p.string().length(32),
      /** The issuer, and the id of the account there. They identify the account. */
      issuer: p.text(),
      sub: p.string().length(255),
      /** The address that the provider named last, normalised. It is only shown to the user. */
      email: p.string().length(254).nullable(),
      /** The provider's tokens, encrypted with ENCRYPTION_KEYS. Null unless the app keeps them. */
      tokens: p.text().nullable(),
      connectedAt: p.datetime(3),
      lastUsedAt: p.datetime(3),
    },
    uniques: [{ properties: ['issuer', 'sub'] }],
  });
}

/** Sign-ins that wait for the provider's answer. */
export function createSocialStateEntity(): EntitySchema {
  return defineEntity({
    name: SOCIAL_STATE_ENTITY,
    tableName: 'auth_social_state',
    properties: {
      /** SHA-256 of the `state`, in base64url. */
      hash: p.string().length(43).primary(),
      /** SHA-256 of the browser's cookie, in base64url. */
      browser: p.string().length(43),
      /** What the callback needs, encrypted with ENCRYPTION_KEYS. */
      data: p.text(),
      expiresAt: p.datetime(3),
    },
  });
}

/** Admitted sign-ins whose client has not fetched its session yet. */
export function createSocialExchangeEntity(user: () => EntityClass<BaseUser>): EntitySchema {
  return defineEntity({
    name: SOCIAL_EXCHANGE_ENTITY,
    tableName: 'auth_social_exchange',
    properties: {
      /** SHA-256 of the code, in base64url. */
      hash: p.string().length(43).primary(),
      user: () => p.manyToOne(user()).updateRule('no action').deleteRule('cascade').index(),
      /** The credential epoch with which the sign-in was admitted. */
      credentialEpoch: p.integer(),
      amr: p.array(),
      authTime: p.datetime(3),
      expiresAt: p.datetime(3),
      /** The S256 of the client's verifier, in base64url. Null: the code needs none. */
      challenge: p.string().length(43).nullable(),
    },
  });
}

/** ID tokens that were used for a native sign-in. Each is good once. */
export function createSocialUsedTokenEntity(): EntitySchema {
  return defineEntity({
    name: SOCIAL_USED_TOKEN_ENTITY,
    tableName: 'auth_social_used_token',
    properties: {
      /** SHA-256 of the signed part of the token, in base64url. */
      hash: p.string().length(43).primary(),
      expiresAt: p.datetime(3),
    },
  });
}
