import type { BaseUser } from '../users/base-user.entity.js';
import type { CustomClaims } from './claims.js';
import type { RequestClient, SessionContext } from './session-context.js';
import { readAttribute } from './user-attributes.js';

/** What the library passes to `RefreshToken.forUser`; an override hands it on to `super.forUser`. */
export interface ForUserOptions {
  /** Claim name to dotted path on the user (USER_ATTRIBUTES). */
  readonly attributes?: Readonly<Record<string, string>>;
  /** The session that the token is for: how and when its user proved who they are, and the claims bound to it. */
  readonly session?: SessionContext;
  /** Who signs in or refreshes; undefined where no request does, as for a session that the app opens without one. */
  readonly client?: RequestClient;
}

/**
 * What a session says about its user. An app extends it: every claim that `forUser` adds to `payload` travels in the
 * refresh token and in every access token made from it.
 */
export class RefreshToken {
  /** The custom claims. The library's own (`sub`, `role`, `exp` …) are set when the token is signed. */
  readonly payload: CustomClaims = {};

  constructor(
    /** `sub`: the user's key. */
    readonly subject: string,
    readonly role: number,
    readonly emailVerified: boolean,
  ) {}

  /**
   * The token of a user who was just read from the database. Runs at sign-in and at every rotation, so that a claim is
   * as fresh as the last rotation. It runs before anything is stored: an error thrown here at a sign-in leaves no
   * session, and one thrown at a rotation leaves the presented token good. Neither holds a connection or a lock
   * meanwhile. At a sign-up, at a change of the password and where the app opens a session in its own transaction, it
   * runs within that transaction: a query of its own on another connection keeps the user's row locked that long.
   *
   * @returns a token of the class it is called on. The type says `any` because TypeScript gives `super.forUser()` the
   * type of the base class, and an override could not call its own methods on the result.
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

/** A class of refresh tokens: the shipped one or an app's subclass. */
export type RefreshTokenClass = typeof RefreshToken;
