import { createSecretKey } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { claimsOf } from './claims.js';
import { SECRET, USERS } from './serve.js';

export const key = createSecretKey(SECRET, 'utf8');

/** One Authorization header per user. */
export function bearers(): Record<string, string>[] {
  return Array.from({ length: USERS }, () => ({
    authorization: `Bearer ${jwt.sign(claimsOf(crypto.randomUUID()), key, { algorithm: 'HS256' })}`,
  }));
}
