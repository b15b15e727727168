import type { UserEvent } from '../../observability/auth-events.js';
import type { PasskeyPurpose } from './passkey-challenges.js';

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
   * `operator`: `auth.passkeys.reset` or the command line. `mailbox-owner`: the owner of the mailbox has set a new
   * password by mail, or has taken back an account that a stranger could use.
   */
  readonly by: 'user' | 'operator' | 'mailbox-owner';
}

/** The counter of a passkey went back: there may be a copy of it. It does not sign in any more. */
export interface PasskeyDisabled extends UserEvent {
  /** The id of the passkey, as in `GET /passkeys`. */
  readonly passkey: string;
}

/**
 * Why the response of a passkey was refused:
 *
 * - `unknown`, `foreign`: no user, or another user, has this passkey; not at a sign-in;
 * - `disabled`: its counter went back earlier, or it was removed at the same moment;
 * - `challenge`: the challenge was made for something else, or has expired;
 * - `replay`: the challenge was used before;
 * - `response`: the signature, origin, domain, user verification or another part is wrong;
 * - `counter`: the counter has not grown. The event `passkey.disabled` comes first.
 */
export type PasskeyFault = 'unknown' | 'foreign' | 'disabled' | 'challenge' | 'replay' | 'response' | 'counter';

/** The response of a passkey was refused. A sign-in with an unknown passkey causes no event. */
export interface PasskeyFailed extends UserEvent {
  /** The id of the passkey, as in `GET /passkeys`; undefined for the reasons `unknown` and `foreign`. */
  readonly passkey?: string;
  /** `answer`: to the challenge of a sign-in that waits for a second factor. */
  readonly purpose: PasskeyPurpose;
  readonly reason: PasskeyFault;
  /** Express's `req.ip` without port and zone id; undefined if it is not known. */
  readonly ip?: string;
}

declare module '../../observability/auth-events.js' {
  interface AuthEventMap {
    'passkey.added': PasskeyAdded;
    'passkey.removed': PasskeyRemoved;
    'passkey.disabled': PasskeyDisabled;
    'passkey.failed': PasskeyFailed;
  }
}
