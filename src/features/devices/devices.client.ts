import type { ClientCalls } from '../../client-calls.js';

/** A session of the user, with times in ISO 8601. `ip`, `browser`, `os` and `device` are null if they are unknown. */
export interface DeviceSession {
  readonly id: string;
  /** Whether it is the session of this client. */
  readonly current: boolean;
  readonly createdAt: string;
  readonly lastUsedAt: string;
  readonly expiresAt: string;
  readonly ip: string | null;
  readonly browser: string | null;
  readonly os: string | null;
  readonly device: string | null;
}

/** The client's methods for this feature. */
export const devicesMethods = ({ call }: ClientCalls) => ({
  /** Lists the user's sessions, most recently used first. */
  sessions: () => call<DeviceSession[]>('GET', '/sessions', { isBearer: true }),

  /** Revokes a session of the user. Rejects with `session_not_found` for any other id. */
  revokeSession: (id: string) => call<void>('DELETE', `/sessions/${encodeURIComponent(id)}`, { isBearer: true }),

  /** Revokes every session of the user except the current one. */
  revokeOtherSessions: () => call<void>('POST', '/sessions/revoke-others', { isBearer: true }),
});
