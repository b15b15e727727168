import { toSeconds } from '../clock.js';
import type { Settings } from '../settings/settings.js';
import type { ClientDevice } from './client-device.js';
import type { ListedSession } from './session-store.js';

/** A live session, as its user sees it in the list. */
export interface SessionInfo extends ClientDevice {
  readonly id: string;
  readonly createdAt: Date;
  /**
   * When it was last refreshed, or else opened. Rounded down (`toSessionInfo`), but not before `createdAt`. A refresh
   * is shown after REFRESH_REUSE_GRACE.
   */
  readonly lastUsedAt: Date;
  /** When it ends if it is not used. Rounded down (`toSessionInfo`). */
  readonly expiresAt: Date;
}

/**
 * Converts a session for the list. A thief with an access token must not find out when the owner refreshes: within the
 * grace a stolen parent would still be accepted. So a rotation is shown only after the grace, and times are rounded
 * down to steps of whole minutes that are longer than the grace.
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
