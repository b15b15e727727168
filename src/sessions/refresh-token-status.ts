import { toSeconds } from '../clock.js';
import type { TokenClaims } from '../tokens/claims.js';
import type { SessionRow } from './session-store.js';

/**
 * What a correctly signed token of a live session is, in the order in which one of several is chosen:
 *
 * - `live`: its live token;
 * - `newer`: made after the last rotation that the database knows: the database has lost that rotation;
 * - `parent`: the parent of the live one, within REFRESH_REUSE_GRACE;
 * - `used`: any other.
 */
export type RefreshTokenStatus = 'live' | 'newer' | 'parent' | 'used';

/**
 * Compares a token with the row of its session.
 *
 * Each rotation is dated no earlier than the one before, whatever the clocks of the servers say. So every older
 * generation has an `iat` of at most the second of the last rotation, and only a later one proves a loss. In the same
 * second nothing is proved.
 *
 * @param grace seconds
 * @param now milliseconds since the epoch
 */
export function refreshTokenStatus(
  { jti, iat }: TokenClaims,
  row: SessionRow,
  grace: number,
  now: number,
): RefreshTokenStatus {
  if (jti === row.jti) return 'live';
  if (jti === row.previousJti) return grace > 0 && now - row.rotatedAt <= grace * 1000 ? 'parent' : 'used';
  return iat > toSeconds(row.rotatedAt) ? 'newer' : 'used';
}
