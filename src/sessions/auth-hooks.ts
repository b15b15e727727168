import type { RequestClient, SessionContext } from '../tokens/session-context.js';
import type { BaseUser } from '../users/base-user.entity.js';

/** The argument of `beforeSignUp`. */
export interface SignUpHook {
  /** The submitted fields, including the app's additional ones, without the password. */
  readonly user: {
    readonly email: string;
    readonly firstName?: string;
    readonly lastName?: string;
    readonly [field: string]: unknown;
  };
  readonly client: RequestClient;
}

/** The argument of `beforeSignIn`. */
export interface SignInHook {
  /**
   * The user who has authenticated, without the password hash. At a sign-up: the user that is about to be stored, whose
   * key may still change.
   */
  readonly user: BaseUser;
  /** The authentication methods: `pwd` (password), `mail` (mailbox), others of RFC 8176 §2, or names of the app. */
  readonly amr: readonly string[];
  /** Undefined if the app signs a user in without a request. */
  readonly client: RequestClient | undefined;
}

/** The argument of `beforeRefresh`. */
export interface RefreshHook {
  readonly user: BaseUser;
  readonly session: SessionContext & { readonly id: string };
  readonly client: RequestClient | undefined;
}

/**
 * Functions of the app that run before the library writes anything, except the counts of limits. A hook refuses the
 * request by throwing an error, which becomes the response. The library holds no lock, connection or transaction while
 * a hook runs.
 */
export interface AuthHooks {
  /** Runs before a sign-up is stored, whether or not the address is taken. Its rate limit has been counted already. */
  beforeSignUp?(signUp: SignUpHook): Promise<void>;
  /**
   * Runs before a session is opened: at sign-in, sign-up, password reset, invitation and password change. At a sign-in
   * with a second factor, it runs after each right answer: of the first factor, and of the second one. When the link of
   * a sign-up is opened, an error from 400 to 499 prevents only the session (SESSION_ON_EMAIL_VERIFICATION).
   */
  beforeSignIn?(signIn: SignInHook): Promise<void>;
  /**
   * Runs before a refresh token is exchanged for a new one. Does not run for a replay, which ends the session, nor for
   * a retry within the grace, which gets the successor that exists already.
   */
  beforeRefresh?(refresh: RefreshHook): Promise<void>;
}
