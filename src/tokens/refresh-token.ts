import type { BaseUser } from '../users/base-user.entity.js';
import type { CustomClaims } from './claims.js';
import type { RequestClient, SessionContext } from './session-context.js';
import { readAttribute } from './user-attributes.js';

/** Options of `RefreshToken.forUser`. An override passes them to `super.forUser`. */
export interface ForUserOptions {
  /** Claim name to dotted path on the user (USER_ATTRIBUTES). */
  readonly attributes?: Readonly<Record<string, string>>;
  /** The session of the token: how and when its user authenticated, and the claims that are bound to it. */
  readonly session?: SessionContext;
  /** The client that signs in, refreshes or authenticates again. Undefined if the app signs in without a request. */
  readonly client?: RequestClient;
}

/**
 * The content of a refresh token. An app can extend this class: every claim that `forUser` adds to `payload` is in the
 * refresh token and in every access token that is made from it.
 */
export class RefreshToken {
  /** The custom claims. The library adds its own claims (`sub`, `role`, `exp` …) when it signs the token. */
  readonly payload: CustomClaims = {};

  constructor(
    /** `sub`: the user's key. */
    readonly subject: string,
    readonly role: number,
    readonly emailVerified: boolean,
  ) {}

  /**
   * Makes the token of a user. The library calls it at every sign-in, rotation and re-authentication, with a user that
   * it has just read, so that claims are as recent as the last of these.
   *
   * An error at a sign-in leaves no session; an error at a rotation leaves the presented token valid. At a
   * re-authentication the proof has been stored before.
   *
   * No connection and no lock is held meanwhile, unless the session is opened in a transaction: at a sign-up (also by
   * its mailed link), a password change, a password reset, an invitation and the answer to a challenge, and if the app
   * passes its own transaction. A slow `forUser` then keeps the user's row locked.
   *
   * @returns a token of the class on which it is called. The return type is `any`, because TypeScript would give
   * `super.forUser()` the base class, and an override could not call its own methods on the result.
   */
  // biome-ignore lint/suspicious/noExplicitAny: see @returns
  static async forUser(user: BaseUser, options: ForUserOptions = {}): Promise<any> {
    const token = new this(String(user.id), user.role, user.emailVerified);
    for (const [claim, path] of Object.entries(options.attributes ?? {})) {
      token.payload[claim] = readAttribute(user, path);
    }
    return token;
  }
}

/** The class RefreshToken, or an app's subclass. */
export type RefreshTokenClass = typeof RefreshToken;
