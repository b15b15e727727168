import type { AccessToken } from './access-token.js';
import { resultOf } from './answer.js';
import { unreachable } from './auth-error.js';
import type { PendingAnswer } from './pending-answer.js';
import type { RefreshTokenStore } from './refresh-token-store.js';
import type { Tokens } from './session-keeper.js';

/** Milliseconds for an answer to what changes the refresh token, for which the other tabs wait. */
const PATIENCE = 30_000;

/** What a request carries beside its address. */
export interface Content {
  readonly body?: object | undefined;
  /** Goes with cookies, also where the refresh token does not travel in one. */
  readonly needsCookie?: boolean;
}

/** Sends a request, with an access token where there is one. */
export type Send = (request: Request, token?: AccessToken) => Promise<Response>;

/** How requests get to the server, and their answers back. */
export class Transport {
  constructor(
    private readonly url: string,
    private readonly store: RefreshTokenStore | undefined,
    private readonly fetch: (request: Request) => Promise<Response>,
    private readonly pending: PendingAnswer | undefined,
  ) {}

  /** A request to an endpoint. */
  request(method: string, path: string, { body, needsCookie }: Content): Request {
    return new Request(this.url + path, {
      method,
      credentials: this.store && !needsCookie ? 'same-origin' : 'include',
      ...(body && { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
    });
  }

  /** Fails with `network_error`; with what its signal was aborted with, if that ends the request (it has no `keepalive`). */
  readonly send: Send = async (request, token) => {
    if (token) request.headers.set('Authorization', `Bearer ${token.text}`);
    return this.fetch(request).catch((cause) => {
      throw request.signal.aborted && !request.keepalive ? cause : unreachable(cause);
    });
  };

  /** Sends what changes the refresh token, in the caller's turn. */
  change(request: Request, token?: AccessToken): Promise<Response> {
    // keepalive: the cookie of the answer arrives even if the page is left meanwhile, or the request aborted.
    const send = () =>
      this.send(new Request(request, { keepalive: true, signal: AbortSignal.timeout(PATIENCE) }), token);
    return this.pending ? this.pending.during(send) : send();
  }

  /** Rotates the refresh token. */
  async refresh(): Promise<Tokens> {
    return resultOf(await this.change(await this.#withRefreshToken('/refresh')));
  }

  /** Ends the session of the refresh token. */
  async logout(): Promise<Response> {
    return this.change(await this.#withRefreshToken('/logout'));
  }

  async #withRefreshToken(path: string): Promise<Request> {
    return this.request('POST', path, { body: this.store && { refresh: await this.store.get() } });
  }
}
