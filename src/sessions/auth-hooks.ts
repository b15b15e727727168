import type { RequestClient, SessionContext } from '../tokens/session-context.js';
import type { BaseUser } from '../users/base-user.entity.js';

/** What `beforeSignUp` sees. */
export interface SignUpHook {
  /** What the person gave, without the password: the fields that the app adds, too. */
  readonly user: {
    readonly email: string;
    readonly firstName?: string;
    readonly lastName?: string;
    readonly [field: string]: unknown;
  };
  readonly client: RequestClient;
}

/** What `beforeSignIn` sees. */
export interface SignInHook {
  /**
   * The user who has proved who they are, without the password hash. At a sign-up it is the user that will be stored:
   * its key may be another one then.
   */
  readonly user: BaseUser;
  /** How they did (RFC 8176): `pwd`, `mail`, or what the app said. */
  readonly amr: readonly string[];
  /** Undefined where the app signs somebody in without a request. */
  readonly client: RequestClient | undefined;
}

/** What `beforeRefresh` sees. */
export interface RefreshHook {
  readonly user: BaseUser;
  readonly session: SessionContext & { readonly id: string };
  readonly client: RequestClient | undefined;
}

/**
 * Functions of the app that run before anything is written. One that throws refuses the request with its own error,
 * and nothing has happened. No lock, connection or transaction of the library is held while one runs.
 */
export interface AuthHooks {
  /** Before a sign-up is stored, whether or not the address is taken. Its rate limit has been counted. */
  beforeSignUp?(signUp: SignUpHook): Promise<void>;
  /** Before a session is opened: at each sign-in, sign-up, password set by mail, and password change. */
  beforeSignIn?(signIn: SignInHook): Promise<void>;
  /**
   * Before a refresh token is traded for a new successor. It does not run for a replay, which ends the session, and not
   * where a lost answer is repeated: that gives the successor that is there already.
   */
  beforeRefresh?(refresh: RefreshHook): Promise<void>;
}
