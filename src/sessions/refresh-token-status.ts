import { toSeconds } from '../clock.js';
import type { TokenClaims } from '../tokens/claims.js';
import type { SessionRow } from './session-store.js';

/**
 * The status of a correctly signed refresh token in a live session:
 *
 * - `live`: it is the live token;
 * - `newer`: it was issued after the last rotation in the database. So the database has lost a later rotation;
 * - `parent`: it is the parent of the live token. If the session is not bound to a key: within REFRESH_REUSE_GRACE;
 * - `used`: it is any other token.
 */
export type RefreshTokenStatus = 'live' | 'newer' | 'parent' | 'used';

/**
 * Compares a token with the row of its session.
 *
 * No rotation has an earlier time than the one before, even if the clocks of servers differ. So older generations have
 * an `iat` in the second of the last rotation or before, and a later `iat` proves that the database has lost a
 * rotation. An `iat` in the same second proves nothing.
 *
 * @param grace REFRESH_REUSE_GRACE, in seconds
 * @param now milliseconds since the epoch
 */
export function refreshTokenStatus(
  { jti, iat }: TokenClaims,
  row: SessionRow,
  grace: number,
  now: number,
): RefreshTokenStatus {
  if (jti === row.jti) return 'live';
  const isInGrace = row.keyThumbprint !== null || (grace > 0 && now - row.rotatedAt <= grace * 1000);
  if (jti === row.previousJti) return isInGrace ? 'parent' : 'used';
  return iat > toSeconds(row.rotatedAt) ? 'newer' : 'used';
}
