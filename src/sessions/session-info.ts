import { toSeconds } from '../clock.js';
import type { Settings } from '../settings/settings.js';
import type { ClientDevice } from './client-device.js';
import type { ListedSession } from './session-store.js';

/** A live session as its owner sees it. */
export interface SessionInfo extends ClientDevice {
  readonly id: string;
  readonly createdAt: Date;
  /**
   * When it was last refreshed; at first, when it was opened. To the minute, and not before REFRESH_REUSE_GRACE is
   * over.
   */
  readonly lastUsedAt: Date;
  /** When it ends if it is not used, to the minute. */
  readonly expiresAt: Date;
}

/**
 * What is shown of a session. A thief with an access token must not see when the owner refreshes: a rotation is shown
 * when its grace is over, and in steps of whole minutes that are longer than the grace.
 */
export function toSessionInfo(
  { created, used, expires, isHiding, ...session }: ListedSession,
  { refreshReuseGrace, refreshTokenLifetime }: Settings,
): SessionInfo {
  const step = (Math.floor(refreshReuseGrace / 60) + 1) * 60_000;
  const expiresBefore = (toSeconds(used) + refreshTokenLifetime) * 1000;
  const shownExpiry = isHiding ? Math.min(expires, expiresBefore) : expires;
  const { id, ...device } = session;
  return {
    id,
    createdAt: new Date(created),
    lastUsedAt: new Date(Math.max(created, roundDown(used, step))),
    expiresAt: new Date(roundDown(shownExpiry, step)),
    ...device,
  };
}

function roundDown(milliseconds: number, step: number): number {
  return Math.floor(milliseconds / step) * step;
}
