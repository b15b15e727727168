import type { TokenClaims } from '../tokens/claims.js';
import type { SessionClient } from './client-device.js';
import { type RefreshTokenStatus, refreshTokenStatus } from './refresh-token-status.js';
import type { SessionRow } from './session-store.js';

/**
 * In how many consecutive generations the parent may be presented again from a different network or user agent. This
 * happens if a response is lost while a client changes networks. With the next generation it counts as theft: a thief
 * presents each token shortly after the owner has used it.
 */
const MAX_FOLLOWED_GENERATIONS = 2;

/** A verified refresh token and its client. */
export interface PresentedToken {
  readonly claims: TokenClaims;
  readonly client: SessionClient | undefined;
  /** See `RotationOrigins`. */
  readonly origin: string | null;
}

/** What a presented token says about its session (RFC 9700 §4.14.2). */
export interface TokenVerdict {
  readonly status: RefreshTokenStatus;
  /** Whether it is the parent of the live token, and its client is elsewhere than that of the last rotation. */
  readonly isFollowing: boolean;
  /** Whether two clients use the session, so that it must end. */
  readonly isReplay: boolean;
}

/**
 * Compares a presented token and its client with the row of the session.
 *
 * @param grace REFRESH_REUSE_GRACE, in seconds
 * @param now milliseconds since the epoch
 */
export function verdictOn(presented: PresentedToken, row: SessionRow, grace: number, now: number): TokenVerdict {
  const status = refreshTokenStatus(presented.claims, row, grace, now, canHaveKey(presented, row));
  const isFollowing = status === 'parent' && isElsewhere(presented, row);
  return { status, isFollowing, isReplay: status === 'used' || (isFollowing && isTheft(row)) };
}

/**
 * Whether a refresh can come from the client that has the key of the session. A token of the bound session has passed
 * the check of its proof before. A token from before the binding names no key, so here its request must have a proof by
 * the key, or a faulty proof, which is refused later.
 */
function canHaveKey({ claims, client }: PresentedToken, { keyThumbprint }: SessionRow): boolean {
  return claims.cnf !== undefined || client?.proofFault !== undefined || client?.proof?.thumbprint === keyThumbprint;
}

/**
 * Whether a token comes from a different origin than the last rotation of its session. False if one is not known, and
 * for the key of a bound session, which proves that it is the same client.
 */
function isElsewhere(presented: PresentedToken, row: SessionRow): boolean {
  if (row.keyThumbprint !== null && canHaveKey(presented, row)) return false;
  return presented.origin !== null && row.rotatedFrom !== null && presented.origin !== row.rotatedFrom;
}

/**
 * Whether a parent from elsewhere is a theft: after too many generations, or at once if the session was bound to a key
 * that its client does not have.
 */
function isTheft({ keyThumbprint, followedGenerations }: SessionRow): boolean {
  return keyThumbprint !== null || followedGenerations >= MAX_FOLLOWED_GENERATIONS;
}
