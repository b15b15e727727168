/** What a request to an endpoint carries, and what its answer changes. */
export interface CallOptions {
  /** Sent as JSON. */
  readonly body?: object | undefined;
  /** Whether the access token goes along. */
  readonly isBearer?: boolean;
  /** `include` sends cookies although the refresh token travels in bodies. */
  readonly credentials?: 'include' | 'same-origin';
  /** What a successful answer does: it brings the tokens of another session, or this session has ended. */
  readonly effect?: 'sign-in' | 'sign-out';
}

/** What a feature's part of `AuthClient` may use. `AuthClient` is one: a module's own part takes it. */
export interface ClientCalls {
  /**
   * Sends a request to an endpoint, and returns what it answered.
   *
   * @param path below the client's `url`: `/user`
   * @throws AuthError for an answer that is an error, and where no answer came
   */
  call<Result>(method: string, path: string, options?: CallOptions): Promise<Result>;
}

/** The names of a person. */
export interface Names {
  readonly firstName?: string;
  readonly lastName?: string;
}
