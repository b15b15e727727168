import type { UserEvent } from '../../observability/auth-events.js';

/** A passkey was added to a user, who can sign in with it now. */
export interface PasskeyAdded extends UserEvent {
  /** The id of the passkey, as in `GET /passkeys`. */
  readonly passkey: string;
}

/** A passkey of a user was removed. */
export interface PasskeyRemoved extends UserEvent {
  /** The id that the passkey had. */
  readonly passkey: string;
  /**
   * `mailbox-owner`: the owner of the mailbox has set a new password by mail, or has taken back an account that
   * somebody else could use.
   */
  readonly by: 'user' | 'mailbox-owner';
}

/** The counter of a passkey went back: there may be a copy of it. It does not sign in any more. */
export interface PasskeyDisabled extends UserEvent {
  /** The id of the passkey, as in `GET /passkeys`. */
  readonly passkey: string;
}

declare module '../../observability/auth-events.js' {
  interface AuthEventMap {
    'passkey.added': PasskeyAdded;
    'passkey.removed': PasskeyRemoved;
    'passkey.disabled': PasskeyDisabled;
  }
}
