/** What a user is shown of their account. */
export interface UserProfile {
  readonly id: string;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly role: number;
  readonly emailVerified: boolean;
}

/** A place where the user is signed in; instants in ISO 8601. Where it is unknown, `ip` to `device` are null. */
export interface DeviceSession {
  readonly id: string;
  /** Whether it is the one that asks. */
  readonly current: boolean;
  readonly createdAt: string;
  readonly lastUsedAt: string;
  readonly expiresAt: string;
  readonly ip: string | null;
  readonly browser: string | null;
  readonly os: string | null;
  readonly device: string | null;
}

/** What a person may be called. */
export interface Names {
  readonly firstName?: string;
  readonly lastName?: string;
}
