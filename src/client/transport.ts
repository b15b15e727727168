import type { CallOptions } from '../client-calls.js';
import type { AccessToken } from './access-token.js';
import { resultOf } from './answer.js';
import { networkError } from './auth-error.js';
import type { PendingAnswer } from './pending-answer.js';
import type { KeptToken } from './refresh-token-store.js';
import type { Tokens } from './session-keeper.js';
import { timeoutSignal } from './timeout-signal.js';

/** Timeout of a request that changes the refresh token, in milliseconds. Other tabs wait for it. */
const TIMEOUT_MS = 30_000;

/** Sends a request, with an access token if there is one. */
export type Send = (request: Request, token?: AccessToken) => Promise<Response>;

/** Sends requests to the server. */
export interface Transport {
  /** Creates a request to an endpoint. */
  request(method: string, path: string, content: CallOptions): Request;
  /** Fails with `network_error`, or with the abort reason of its signal. */
  send: Send;
  /** Sends a request that changes the refresh token, within the caller's turn. */
  change: Send;
  /** Rotates the refresh token; undefined without one. */
  refresh(): Promise<Tokens | undefined>;
  /** Revokes the session of the refresh token. An invalid cookie is removed even though the call fails. */
  logout(): Promise<void>;
}

/** Creates the transport to the server at this URL. */
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

  /** @param hasOwnSignal whether the signal is a timeout of this file, not the caller's */
  const answer = async (
    outgoing: Request,
    token: AccessToken | undefined,
    hasOwnSignal?: boolean,
  ): Promise<Response> => {
    if (token) outgoing.headers.set('Authorization', `Bearer ${token.text}`);
    try {
      return await fetch(outgoing);
    } catch (cause) {
      throw outgoing.signal.aborted && !hasOwnSignal ? cause : networkError(cause);
    }
  };

  const change: Send = (outgoing, token) => {
    // keepalive: the cookie of the answer arrives even if the page is closed or the caller's request aborted.
    const send = () =>
      answer(new Request(outgoing, { keepalive: true, signal: timeoutSignal(TIMEOUT_MS) }), token, true);
    return pending ? pending.during(send) : send();
  };

  /** Sends the refresh token. Returns undefined if there is none, or for an empty answer. */
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
