/** Options of a request to an endpoint. */
export interface CallOptions {
  /** Sent as JSON. */
  readonly body?: object | undefined;
  /** Whether to send the access token. */
  readonly isBearer?: boolean;
  /** `include` sends cookies even if the refresh token travels in JSON bodies. */
  readonly credentials?: 'include' | 'same-origin';
  /**
   * The effect of a successful response: it contains the tokens of a new session (`sign-in`), or only a new access
   * token of the current session (`renewal`), or the current session has ended (`sign-out`).
   */
  readonly effect?: 'sign-in' | 'renewal' | 'sign-out' | undefined;
}

/**
 * Decides whether a request that was answered with 401 is repeated once, with the current access token of the same
 * user. If the current token is the one that was sent, it is renewed first.
 *
 * @param request only its address and headers: its body has been sent
 * @param claims those of the access token that was sent
 */
export type ReasonToRepeat = (
  answer: Response,
  request: Request,
  claims: { readonly auth_time?: number },
) => Promise<boolean>;

/** What the client part of a feature or module may use, also destructured. `AuthClient` implements it. */
export interface ClientCalls {
  /**
   * Sends a request to an endpoint, and returns the body of the response.
   *
   * @param path below the client's `url`, such as `/user`
   * @throws AuthError for an error response, and if there is no response
   */
  call<Result>(method: string, path: string, options?: CallOptions): Promise<Result>;

  /** Creates a request to an endpoint, without the access token. It is not sent. */
  request(method: string, path: string, options: CallOptions): Request;

  /** Gets a new access token with current claims. */
  refresh(): Promise<unknown>;

  /** Whether a user is signed in, and the claims of the access token. */
  readonly state: { readonly status: string; readonly claims?: { readonly auth_time?: number } };

  /** Asked in this order, each at most once a request. The first one is whether the token was refused. */
  readonly reasonsToRepeat: ReasonToRepeat[];
}

/** The proofs of a signed-in user, by name. Modules add theirs by declaration merging. */
export interface UserProofs {
  password: string;
  /** The code of the mail that `requestReauthenticationCode` sends. */
  mailCode: string;
}

/** The names of a user. */
export interface Names {
  readonly firstName?: string;
  readonly lastName?: string;
}
