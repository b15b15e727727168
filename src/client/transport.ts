import type { CallOptions } from '../client-calls.js';
import type { AccessToken } from './access-token.js';
import { resultOf } from './answer.js';
import { networkError } from './auth-error.js';
import type { Fetch } from './bound-fetch.js';
import type { PendingAnswer } from './pending-answer.js';
import type { TokenServer } from './session-keeper.js';
import type { RefreshTokenStore } from './store.js';
import { timeoutSignal } from './timeout-signal.js';
import { TIMEOUT_MS } from './timing.js';

/** Sends a request, with the access token if one is given. */
export type Send = (request: Request, token?: AccessToken) => Promise<Response>;

/** Sends requests to the server. */
export interface Transport {
  /** Creates a request to an endpoint. */
  request(method: string, path: string, content: CallOptions): Request;
  /** Sends a request. Rejects with `network_error` if no answer arrives, or with the abort reason of its signal. */
  send: Send;
  /**
   * Sends a request that changes the refresh token. Call it only during a turn of this tab (`Tabs.next`), because no
   * other tab may change the token at the same time.
   */
  sendChange: Send;
  postToken: TokenServer['postToken'];
}

/**
 * Creates the transport to the server at this URL.
 *
 * @param store stores the refresh token; undefined if the token travels in a cookie
 * @param pending marks for other tabs that the answer with a new cookie has not arrived yet
 */
export function transportTo(
  url: string,
  store: RefreshTokenStore | undefined,
  fetch: Fetch,
  pending: PendingAnswer | undefined,
): Transport {
  const request: Transport['request'] = (method, path, { body, credentials = store ? 'same-origin' : 'include' }) =>
    new Request(url + path, {
      method,
      credentials,
      body: body && JSON.stringify(body),
      headers: {
        ...(body && { 'Content-Type': 'application/json' }),
        ...store?.headers,
      },
    });

  /** Sends a request. @param hasTimeout whether its signal is the timeout of `sendChange`, not the caller's signal */
  const send = async (outgoing: Request, token: AccessToken | undefined, hasTimeout?: boolean): Promise<Response> => {
    if (token) outgoing.headers.set('Authorization', `Bearer ${token.text}`);
    try {
      return await fetch(outgoing);
    } catch (cause) {
      throw outgoing.signal.aborted && !hasTimeout ? cause : networkError(cause);
    }
  };

  const sendChange: Send = (outgoing, token) => {
    // With `keepalive`, the answer and its cookie arrive even if the page is closed. The timeout replaces the caller's
    // signal, because an abort by the caller must not lose the cookie.
    const sendWithTimeout = () =>
      send(new Request(outgoing, { keepalive: true, signal: timeoutSignal(TIMEOUT_MS) }), token, true);
    return pending ? pending.during(sendWithTimeout) : sendWithTimeout();
  };

  const postToken: TokenServer['postToken'] = async (path) => {
    const body = store && { refresh: await store.get() };
    return body && !body.refresh ? undefined : resultOf(await sendChange(request('POST', path, { body })));
  };

  return { request, send, sendChange, postToken };
}
