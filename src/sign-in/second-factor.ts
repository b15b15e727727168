import type { EntityManager } from '@mikro-orm/postgresql';
import type { RateLimit } from '../settings/rate-limit.js';
import type { UserId } from '../users/base-user.entity.js';

/** Since when a stranger could use an account that the owner of the mailbox takes back. */
export interface TakenBack {
  /** `new Date(0)`: since its sign-up. */
  readonly since: Date;
  /**
   * Whether sign-ins of the user needed a second factor then. The mailbox alone must not remove it, even if it was
   * replaced later.
   */
  readonly hadSecondFactor: boolean;
}

/** A kind of second factor, which a module adds (`ModuleParts.secondFactors`). */
export interface SecondFactor {
  /** Its name in the account state of users who have it (`Accounts.setSecondFactor`), such as `totp`. */
  readonly name: string;
  /**
   * True: every sign-in of a user who has it needs a second factor. False: it can answer a challenge, but does not
   * cause one, unless every user must have a second factor (`setupMethod`).
   */
  readonly isAlwaysAsked: boolean;
  /**
   * Set if every user must have a second factor: the method with which a user without one sets one up at the sign-in,
   * such as `totp_setup`.
   */
  readonly setupMethod?: string;
  /** Limits of wrong answers for one user, over all challenges and all second factors. */
  readonly limits: readonly RateLimit[];
  /** The methods that a user who has this factor can use now, such as `totp` and `recovery_code`. */
  methodsOf(user: UserId, em?: EntityManager): Promise<readonly string[]>;
  /** How many credentials of this kind a user has, if there can be several, such as passkeys. */
  countOf?(user: UserId): Promise<number>;
  /**
   * Removes what was set up at a time or later, because the owner of the mailbox takes the account back from a
   * stranger. It is called in the transaction of `em`, which holds a lock on the user's row. Does nothing if the user
   * does not have the factor, or has an older one. The factor itself stays if `hadSecondFactor`. A factor that is
   * also a way to sign in, and that no sign-in asks for, is removed in any case.
   */
  removeSince(user: UserId, takenBack: TakenBack, em: EntityManager): Promise<void>;
}

/** An answer to a challenge. */
export interface SecondFactorProof {
  /** One of the methods of the challenge. */
  readonly method: string;
  /** What it adds to the `amr` of the session. Contains `mfa`. */
  readonly amr: readonly string[];
  /**
   * Checks the proof and uses it up, in the transaction that opens the session. The transaction holds a lock on the
   * user's row. If the app has the hook `beforeSignIn`, this is called once more before it, in a transaction that is
   * rolled back: do nothing that a rollback does not undo.
   *
   * @throws an error with a status from 400 to 499 if the proof is wrong. It is counted as a wrong answer, and the
   * transaction is rolled back
   */
  verify(user: UserId, em: EntityManager): Promise<void>;
}
