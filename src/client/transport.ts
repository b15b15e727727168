import type { CallOptions } from '../client-calls.js';
import type { AccessToken } from './access-token.js';
import { resultOf } from './answer.js';
import { unreachable } from './auth-error.js';
import type { PendingAnswer } from './pending-answer.js';
import type { KeptToken } from './refresh-token-store.js';
import type { Tokens } from './session-keeper.js';
import { timeoutSignal } from './timeout-signal.js';

/** Milliseconds for an answer to what changes the refresh token, for which the other tabs wait. */
const PATIENCE = 30_000;

/** Sends a request, with an access token where there is one. */
export type Send = (request: Request, token?: AccessToken) => Promise<Response>;

/** How requests get to the server, and their answers back. */
export interface Transport {
  /** A request to an endpoint. */
  request(method: string, path: string, content: CallOptions): Request;
  /** Fails with `network_error`, or with what its signal was aborted with. */
  send: Send;
  /** Sends what changes the refresh token, in the caller's turn. */
  change: Send;
  /** Rotates the refresh token; undefined where there is none. */
  refresh(): Promise<Tokens | undefined>;
  /** Ends the session of the refresh token. A cookie that is good for nothing is removed, though the call fails. */
  logout(): Promise<void>;
}

/** How requests get to the server at that URL. */
export function transportTo(
  url: string,
  store: KeptToken | undefined,
  fetch: (request: Request) => Promise<Response>,
  pending: PendingAnswer | undefined,
): Transport {
  const request: Transport['request'] = (method, path, { body, credentials = store ? 'same-origin' : 'include' }) =>
    new Request(url + path, {
      method,
      credentials,
      body: body && JSON.stringify(body),
      headers: {
        ...(body && { 'Content-Type': 'application/json' }),
        ...(store && { 'Auth-Transport': 'body' }),
      },
    });

  /** @param isLeft whether nobody waits for the answer any more */
  const answer = async (asked: Request, token: AccessToken | undefined, isOurs?: boolean): Promise<Response> => {
    if (token) asked.headers.set('Authorization', `Bearer ${token.text}`);
    try {
      return await fetch(asked);
    } catch (cause) {
      throw asked.signal.aborted && !isOurs ? cause : unreachable(cause);
    }
  };

  const change: Send = (asked, token) => {
    // keepalive: the cookie of the answer arrives even if the page is left meanwhile, or the request aborted.
    const send = () => answer(new Request(asked, { keepalive: true, signal: timeoutSignal(PATIENCE) }), token, true);
    return pending ? pending.during(send) : send();
  };

  /** Sends the refresh token. Answers undefined where there is none, or where the server has nothing to say. */
  const present = async <Result>(path: string): Promise<Result | undefined> => {
    const body = store && { refresh: await store.get() };
    if (body && !body.refresh) return undefined;
    return resultOf(await change(request('POST', path, { body })));
  };

  return {
    request,
    send: answer,
    change,
    refresh: () => present('/refresh?quiet=true'),
    logout: () => present('/logout'),
  };
}
