import { defineEntity, type EntityClass, type EntitySchema, p } from '@mikro-orm/core';
import type { BaseUser } from '../users/base-user.entity.js';

/** Name of the entity of challenges. */
export const CHALLENGE_ENTITY = 'AuthChallenge';

/**
 * Sign-ins that wait for a second factor: one row for each. The table has only the hash of the challenge, so that a
 * challenge cannot be read from it.
 */
export function createChallengeEntity(user: () => EntityClass<BaseUser>): EntitySchema {
  return defineEntity({
    name: CHALLENGE_ENTITY,
    tableName: 'auth_challenge',
    properties: {
      /** SHA-256 of the challenge, in base64url. */
      hash: p.string().length(43).primary(),
      user: () => p.manyToOne(user()).deleteRule('cascade').index(),
      /** The credential epoch that the sign-in has read. */
      credentialEpoch: p.integer(),
      /** A keyed hash of the e-mail address and the password hash that the sign-in has read. */
      credentials: p.string().length(43),
      /** The methods that can answer it. */
      methods: p.array(),
      /** How the user has authenticated so far (RFC 8176). */
      amr: p.array(),
      /** Claims to bind to the session. Null: no claims. */
      claims: p.json().nullable(),
      /** Work of a module for the answered challenge (`SignInAttempt.completion`). Null: no work. */
      completion: p.json().nullable(),
      /** The number of wrong answers, and of answers that are being checked. */
      attempts: p.smallint().default(0),
      expiresAt: p.datetime(3),
    },
  });
}
