/** Options of a request to an endpoint. */
export interface CallOptions {
  /** Sent as JSON. */
  readonly body?: object | undefined;
  /** Whether to send the access token. */
  readonly isBearer?: boolean;
  /** `include` sends cookies even if the refresh token travels in JSON bodies. */
  readonly credentials?: 'include' | 'same-origin';
  /** The effect of a successful response: it contains the tokens of a new session, or the current session has ended. */
  readonly effect?: 'sign-in' | 'sign-out';
}

/** What the client part of a feature or module may use. `AuthClient` implements it. */
export interface ClientCalls {
  /**
   * Sends a request to an endpoint, and returns the body of the response.
   *
   * @param path below the client's `url`, such as `/user`
   * @throws AuthError for an error response, and if there is no response
   */
  call<Result>(method: string, path: string, options?: CallOptions): Promise<Result>;
}

/** The names of a user. */
export interface Names {
  readonly firstName?: string;
  readonly lastName?: string;
}
