import { toSeconds } from '../clock.js';
import type { TokenClaims } from '../tokens/claims.js';
import type { SessionRow } from './session-store.js';

/**
 * The status of a correctly signed refresh token in a live session:
 *
 * - `live`: it is the live token;
 * - `newer`: it was issued after the last rotation in the database. So the database has lost a later rotation;
 * - `parent`: it is the parent of the live token, within REFRESH_REUSE_GRACE. There is no such limit of time if the
 *   session is bound and the client can have its key;
 * - `used`: it is any other token, or names another key than the session has. Another key is only possible if the
 *   database has lost the binding, and then another client has bound the session.
 */
export type RefreshTokenStatus = 'live' | 'newer' | 'parent' | 'used';

/**
 * Compares a token with the row of its session.
 *
 * The time of a rotation is never earlier than that of the rotation before, and never earlier than the `iat` of the
 * token that it exchanges. This holds even if the clocks of servers differ. So the `iat` of a used token is at most the
 * second of the last rotation in the row. A token with a later `iat` proves that the database has lost a rotation. An
 * `iat` in the same second proves nothing.
 *
 * @param grace REFRESH_REUSE_GRACE, in seconds
 * @param now milliseconds since the epoch
 * @param canHaveKey whether the client can have the key of the session, if it is bound
 */
export function refreshTokenStatus(
  { jti, iat, cnf }: TokenClaims,
  row: SessionRow,
  grace: number,
  now: number,
  canHaveKey = true,
): RefreshTokenStatus {
  const isBound = row.keyThumbprint !== null;
  if (isBound && cnf !== undefined && cnf.jkt !== row.keyThumbprint) return 'used';
  if (jti === row.jti) return 'live';
  const isInGrace = (isBound && canHaveKey) || (grace > 0 && now - row.rotatedAt <= grace * 1000);
  if (jti === row.previousJti) return isInGrace ? 'parent' : 'used';
  return iat > toSeconds(row.rotatedAt) ? 'newer' : 'used';
}
