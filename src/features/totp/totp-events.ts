import type { UserEvent } from '../../observability/auth-events.js';

/** A user has set up a second factor. */
export interface MfaEnabled extends UserEvent {
  /** The second factor: `totp`. */
  readonly method: string;
}

/** A second factor of a user was removed. */
export interface MfaDisabled extends UserEvent {
  /** The second factor: `totp`. */
  readonly method: string;
  /**
   * `operator`: `auth.mfa.reset` or the command line. `mailbox-owner`: the address was not confirmed, and its owner has
   * set a password by mail; or the factor is newer than a change of the address that was undone.
   */
  readonly by: 'user' | 'operator' | 'mailbox-owner';
}

/** A wrong answer was given. At a sign-in, the first factor was right before. */
export interface MfaFailed extends UserEvent {
  /** `totp`, `recovery_code` or `totp_setup`. */
  readonly method: string;
  /** Express's `req.ip` without port and zone id; undefined if it is not known. */
  readonly ip?: string;
}

/** A recovery code was used. It does not work again. */
export interface RecoveryCodeUsed extends UserEvent {
  /** How many recovery codes the user has left. */
  readonly left: number;
}

declare module '../../observability/auth-events.js' {
  interface AuthEventMap {
    'mfa.enabled': MfaEnabled;
    'mfa.disabled': MfaDisabled;
    'mfa.failed': MfaFailed;
    'mfa.recovery-code-used': RecoveryCodeUsed;
    'mfa.recovery-codes-created': UserEvent;
    /** They are newer than a change of the address that was undone. */
    'mfa.recovery-codes-removed': UserEvent;
  }
}
